/* map watch, watch, events */
#pragma once

#include <stddef.h>

#include <jansson.h>

struct ctl;

extern const char watch_help[];
extern const char watch_map_help[];
int watch_run_map(struct ctl *ctl, int argc, char **argv);
int watch_run_all(struct ctl *ctl, int argc, char **argv);
int watch_run_events(struct ctl *ctl, int argc, char **argv);

/* A record's value on one line of at most `columns`; "(deleted)", "(binary, 12 B)". To be freed. */
char *watch_value(const json_t *record, size_t columns);
