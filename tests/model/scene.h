/* What the model leaves out: real gaps of time. Each scene returns NULL, or what no longer holds.
 */
#pragma once

/* A server that did not run finds its timers before the answers that wait in its queue: neither
 * does it accuse whom it probed, nor is its suspicion of another a verdict by then. */
const char *scene_pause(void);
