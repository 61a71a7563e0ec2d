/* The commands of swimlane-sim: each reads its own options; the result is the exit code.
 * 0: all that must hold did; 1: something did not; 2: bad usage. */
#pragma once

int cmd_run(int argc, char **argv);
int cmd_swarm(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_shrink(int argc, char **argv);
