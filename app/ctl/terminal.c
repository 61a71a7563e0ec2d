#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const char enter_screen[] = "\033[?1049h\033[?25l";
static const char leave_screen[] = "\033[?25h\033[?1049l";

static struct termios before;
static volatile sig_atomic_t inside, ended, changed, stopped;

/* The write goes to a terminal; nothing could be done where it fails. */
static void put(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		return;
}

static void give_back(void)
{
	if (!inside)
		return;
	inside = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	put(leave_screen);
}

static int take(void)
{
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -errno;
	inside = 1;
	put(enter_screen);
	return 0;
}

static void on_end(int number)
{
	ended = number;
}

static void on_change(int number)
{
	(void)number;
	changed = 1;
}

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

static void handle(int number, void (*handler)(int number))
{
	struct sigaction action = {.sa_handler = handler};
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(number, &action, NULL); /* fails for a wrong number only */
}

int terminal_enter(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		handle(ends[i], on_end);
	handle(SIGWINCH, on_change);
	handle(SIGTSTP, on_stop);
	(void)atexit(terminal_leave); /* a second way out only */
	return take();
}

void terminal_leave(void)
{
	give_back();
}

void terminal_size(unsigned *columns, unsigned *rows)
{
	struct winsize size;
	*columns = 80;
	*rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		return;
	*columns = size.ws_col;
	*rows = size.ws_row;
}

/* To the background as the shell expects it, with the terminal as it was. */
static void stop(void)
{
	stopped = 0;
	give_back();
	handle(SIGTSTP, SIG_DFL);
	(void)raise(SIGTSTP);
	handle(SIGTSTP, on_stop);
	if (take() < 0)
		ended = SIGHUP;
}

enum terminal_key terminal_wait(int ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;
	int rc = ended || changed || stopped ? 0 : poll(&in, 1, ms);
	if (stopped)
		stop();
	if (ended)
		return TERMINAL_QUIT;
	if (changed || (rc < 0 && errno == EINTR)) {
		changed = 0;
		return TERMINAL_REDRAW;
	}
	if (rc <= 0)
		return TERMINAL_NONE;
	ssize_t got = read(STDIN_FILENO, &key, 1);
	if (got <= 0 || key == 'q' || key == 'Q' || key == 3)
		return TERMINAL_QUIT; /* also when the terminal is gone */
	return TERMINAL_REDRAW;
}

int terminal_signal(void)
{
	return ended;
}
