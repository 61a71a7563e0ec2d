#include "methods.h"

#include <string.h>

static const struct {
	const char *title;
	const struct rpc_method_info *table;
} groups[] = {
	{"This server", methods_daemon},
	{"Members", methods_cluster},
	{"Ownership", methods_ownership},
	{"The map", methods_map},
	{"Who holds what", methods_spread},
	{"Counters and sets", methods_typed},
	{"Origins", methods_origins},
	{"Keys", methods_keys},
};

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

const struct rpc_method_info *methods_find(const char *name)
{
	for (int g = 0; g < GROUPS; g++)
		for (const struct rpc_method_info *m = groups[g].table; m->name != NULL; m++)
			if (strcmp(m->name, name) == 0)
				return m;
	return NULL;
}

void methods_reference(FILE *out)
{
	for (int g = 0; g < GROUPS; g++) {
		(void)fprintf(out, "## %s\n\n", groups[g].title);
		for (const struct rpc_method_info *m = groups[g].table; m->name != NULL; m++)
			rpc_method_print(out, m);
	}
}
