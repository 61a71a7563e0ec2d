#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "report.h"

static bool is_installed(void)
{
	int status = system("command -v gnuplot >/dev/null 2>&1"); /* the shell finds it, or not */
	return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void print_data(const struct report *r, FILE *out)
{
	for (uint32_t i = 1; i < r->sample_count; i++) {
		const struct report_sample *a = &r->samples[i - 1], *b = &r->samples[i];
		double s = (double)(b->at_ns - a->at_ns) / 1e9;
		if (s > 0)
			(void)fprintf(out, "%.6f %" PRIu32 " %.4f %.1f\n", (double)b->at_ns / 1e9, b->running,
				100 * b->alive_share, (double)(b->packets - a->packets) / s);
	}
	(void)fputs("e\n", out);
}

bool report_plot(const struct report *r, const char *path)
{
	if (!is_installed()) {
		(void)fprintf(stderr, "swimlane-sim: no plot: gnuplot is not installed\n");
		return false;
	}
	FILE *p = popen("gnuplot", "w");
	if (p == NULL || strchr(path, '\'') != NULL) {
		(void)fprintf(stderr, "swimlane-sim: no plot: %s\n", p == NULL ? strerror(errno) : "a quote in the file name");
		if (p != NULL)
			(void)pclose(p);
		return false;
	}
	(void)fprintf(p, "set terminal pngcairo size 1000,700\nset output '%s'\nset multiplot layout 2,1\n"
			 "set xlabel 'virtual time, s'\nset yrange [0:*]\n", path);
	(void)fputs("plot '-' using 1:2 with lines title 'servers running', "
		    "'-' using 1:3 with lines title 'pairs that hold each other alive, %'\n", p);
	print_data(r, p);
	print_data(r, p);
	(void)fputs("plot '-' using 1:4 with lines title 'packets/s, all servers'\n", p);
	print_data(r, p);
	(void)fputs("unset multiplot\n", p);
	if (pclose(p) == 0)
		return true;
	(void)fprintf(stderr, "swimlane-sim: no plot: gnuplot failed\n");
	return false;
}
