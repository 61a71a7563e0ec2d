/* Asks Debian's serf agent (HashiCorp memberlist) for acks, over a kernel socket: the baseline. */
#pragma once

/* serf ADDRESS:PORT NAME KEY-HEX MS FLIGHT: one JSON line. The exit code. */
int serf_main(int argc, char **argv);
