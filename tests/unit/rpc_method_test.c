#include "sw_test.h"

#include <string.h>

#include "rpc/method.h"

static const struct rpc_field fields[] = {
	{"key", "text", "what"},
	{"limit?", "integer 1..100", ""},
	{"on?", "boolean", ""},
	{"id?", "id", ""},
	{"state?", "alive | dead", ""},
	{"owner?", "text | null", ""},
	{"port?", "object | null", "may be missing"},
	{"port.mtu", "integer", ""},
	{"names?[]", "text", ""},
	{"members?[].name", "text", ""},
	{"members[].rtt?", "integer | null", ""},
	{"drops?", "object", ""},
	{"drops.*", "integer", ""},
	{"free?", "object", ""},
	{NULL, NULL, NULL},
};

static const char *check(const char *text)
{
	static char error[256];
	json_t *schema = rpc_fields_schema(fields), *value = json_loads(text, 0, NULL);
	error[0] = '\0';
	SW_EXPECT_TRUE(schema != NULL && value != NULL);
	bool ok = rpc_schema_check(schema, value, error, sizeof(error));
	SW_EXPECT_EQ(ok, error[0] == '\0');
	json_decref(schema);
	json_decref(value);
	return error;
}

SW_TEST(rpc_method, what_fits_passes)
{
	SW_EXPECT_STR(check("{\"key\":\"a\"}"), "");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"limit\":1,\"on\":false}"), "");
	SW_EXPECT_STR(check("{\"key\":\"\",\"limit\":null}"), "");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"owner\":null,\"port\":null}"), "");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"port\":{\"mtu\":1500},\"names\":[\"x\",\"y\"]}"), "");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"members\":[{\"name\":\"b\"},{\"name\":\"c\",\"rtt\":"
			    "null}]}"),
		"");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"drops\":{\"any\":1,\"name\":2}}"), "");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"free\":{\"x\":[1,{}]}}"), "");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"id\":\"00000000000000a1\",\"state\":\"dead\"}"), "");
}

SW_TEST(rpc_method, what_does_not_fit_is_told_with_its_place)
{
	SW_EXPECT_STR(check("{}"), "key: is missing");
	SW_EXPECT_STR(check("{\"key\":null}"), "key: must be string");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"kye\":1}"), "kye: is not known here");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"limit\":0}"), "limit: must be 1 to 100");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"limit\":\"5\"}"), "limit: must be integer");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"on\":1}"), "on: must be boolean");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"id\":\"A1\"}"), "id: must be 16 hexadecimal digits");
	SW_EXPECT_STR(
		check("{\"key\":\"a\",\"state\":\"x\"}"), "state: must be one of alive, dead");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"owner\":1}"), "owner: must be string or null");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"port\":{}}"), "port.mtu: is missing");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"names\":[\"x\",2]}"), "names[1]: must be string");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"members\":[{}]}"), "members[0].name: is missing");
	SW_EXPECT_STR(check("{\"key\":\"a\",\"drops\":{\"x\":true}}"), "drops.x: must be integer");
}

SW_TEST(rpc_method, a_row_that_cannot_be_read_is_refused)
{
	const struct rpc_field no_type[] = {{"key", "", ""}, {NULL, NULL, NULL}};
	const struct rpc_field empty_word[] = {{"key", "text | ", ""}, {NULL, NULL, NULL}};
	SW_EXPECT_TRUE(rpc_fields_schema(no_type) == NULL);
	SW_EXPECT_TRUE(rpc_fields_schema(empty_word) == NULL);
}
