#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "methods.h"

static const struct rpc_method_info *const tables[] = {methods_daemon, methods_cluster,
	methods_ownership, methods_map, methods_spread, methods_typed, methods_origins};

static void expect_fits(
	const char *method, const char *what, const struct rpc_field *fields, const char *text)
{
	char error[256] = "";
	json_error_t why;
	json_t *schema = rpc_fields_schema(fields);
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (schema == NULL)
		SW_FAIL("%s: %s: a row cannot be read", method, what);
	else if (value == NULL)
		SW_FAIL("%s: %s: %s at column %d", method, what, why.text, why.column);
	else if (!rpc_schema_check(schema, value, error, sizeof(error)))
		SW_FAIL("%s: %s: %s", method, what, error);
	json_decref(value);
	json_decref(schema);
}

SW_TEST(methods, every_row_says_what_it_is_and_its_example_fits)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct rpc_method_info *m = tables[t]; m->name != NULL; m++) {
			SW_EXPECT_TRUE(methods_find(m->name) == m); /* no name twice */
			SW_EXPECT_TRUE(m->summary != NULL && *m->summary != '\0');
			SW_EXPECT_TRUE(m->summary[strlen(m->summary) - 1] != '.');
			expect_fits(m->name, "example", m->params,
				m->example != NULL ? m->example : "{}");
			if (m->answer == NULL)
				SW_FAIL("%s: no answer for docs/rpc.md", m->name);
			else
				expect_fits(m->name, "answer", m->result, m->answer);
			json_t *whole = rpc_method_to_json(m);
			SW_EXPECT_TRUE(whole != NULL);
			json_decref(whole);
		}
}

/* After a change: swimlane --rpc-reference prints what belongs between the two marks. */
SW_TEST(methods, reference_of_the_documentation_is_the_programs)
{
	static const char begin_mark[] = "<!-- rpc reference: begin -->\n";
	static const char end_mark[] = "<!-- rpc reference: end -->";
	char *reference = NULL, path[512];
	size_t len;
	(void)snprintf(path, sizeof(path), "%s/docs/rpc.md", getenv("SW_SOURCE"));
	FILE *f = fopen(path, "re");
	SW_ASSERT_TRUE(f != NULL);
	static char text[1 << 20];
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	char *begin = strstr(text, begin_mark), *end = strstr(text, end_mark);
	SW_ASSERT_TRUE(begin != NULL && end != NULL);
	*end = '\0';
	FILE *out = open_memstream(&reference, &len);
	methods_reference(out);
	(void)fclose(out);
	SW_EXPECT_STR(begin + strlen(begin_mark), reference);
	free(reference);
}
