/* A terminal taken over for a live screen: the alternate screen, no cursor, keys without Enter.
 * Given back by terminal_leave(), and by every way on which the program may end or stop: signals,
 * exit().
 */
#pragma once

#include <stdbool.h>

/* 0, or -errno: standard input and output must be a terminal. */
int terminal_enter(void);
void terminal_leave(void);

/* Columns and rows of the terminal; 80 and 24 where it does not say. */
void terminal_size(unsigned *columns, unsigned *rows);

enum terminal_key { TERMINAL_NONE, TERMINAL_QUIT, TERMINAL_REDRAW };

/* Waits for at most `ms`: q, Ctrl-C and the signals that end a program are QUIT; a changed size,
 * any other key and coming back from the background are REDRAW. */
enum terminal_key terminal_wait(int ms);

/* The signal that ended it, 0: none. */
int terminal_signal(void);
