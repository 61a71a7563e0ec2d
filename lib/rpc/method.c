#include "rpc/method.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64, PATH_MAX_LEN = 128 };

/* ---- rows into a schema ---- */

static bool add_word(json_t *types, json_t *literals, json_t *schema, const char *word)
{
	long low, high;
	static const char *const plain[] = {"integer", "number", "boolean", "object", "null"};
	if (strcmp(word, "any") == 0)
		return true;
	if (sscanf(word, "integer %ld..%ld", &low, &high) == 2)
		return json_array_append_new(types, json_string("integer")) == 0 &&
		       json_object_set_new(schema, "minimum", json_integer(low)) == 0 &&
		       json_object_set_new(schema, "maximum", json_integer(high)) == 0;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(word, plain[i]) == 0)
			return json_array_append_new(types, json_string(word)) == 0;
	if (strcmp(word, "text") == 0)
		return json_array_append_new(types, json_string("string")) == 0;
	if (strcmp(word, "id") == 0)
		return json_array_append_new(types, json_string("string")) == 0 &&
		       json_object_set_new(schema, "pattern", json_string("^[0-9a-f]{16}$")) == 0;
	if (strcmp(word, "base64") == 0)
		return json_array_append_new(types, json_string("string")) == 0 &&
		       json_object_set_new(schema, "contentEncoding", json_string("base64")) == 0;
	return json_array_append_new(literals, json_string(word)) == 0;
}

/* Of "text | null" {"type": ["string", "null"]}. */
static json_t *type_schema(const char *type, const char *help)
{
	json_t *schema = json_object(), *types = json_array(), *literals = json_array();
	bool ok = schema != NULL && types != NULL && literals != NULL;
	for (const char *at = type; ok;) {
		char word[WORD_MAX];
		size_t len = strcspn(at, "|");
		size_t end = len;
		while (end > 0 && at[end - 1] == ' ')
			end--;
		ok = end > 0 && end < sizeof(word);
		if (ok) {
			memcpy(word, at, end);
			word[end] = '\0';
			ok = add_word(types, literals, schema, word);
		}
		if (at[len] == '\0')
			break;
		at += len + 1;
		at += strspn(at, " ");
	}
	if (ok && json_array_size(literals) > 0) {
		if (json_array_size(types) > 0) /* the only type beside literals is null */
			ok = json_array_append_new(literals, json_null()) == 0;
		ok = ok && json_object_set(schema, "enum", literals) == 0;
	} else if (ok && json_array_size(types) == 1) {
		ok = json_object_set(schema, "type", json_array_get(types, 0)) == 0;
	} else if (ok && json_array_size(types) > 1) {
		ok = json_object_set(schema, "type", types) == 0;
	}
	if (ok && help != NULL && *help != '\0')
		ok = json_object_set_new(schema, "description", json_string(help)) == 0;
	json_decref(types);
	json_decref(literals);
	if (ok)
		return schema;
	json_decref(schema);
	return NULL;
}

static json_t *object_schema(void)
{
	return json_pack("{s:s, s:{}, s:[], s:b}", "type", "object", "properties", "required",
		"additionalProperties", 0);
}

/* A leaf that was made before its children were known ("object") becomes one with properties. */
static bool make_object(json_t *schema)
{
	if (json_object_get(schema, "properties") != NULL)
		return true;
	json_t *object = object_schema();
	if (json_is_array(json_object_get(schema, "type"))) /* "object | null" */
		(void)json_object_del(object, "type");
	bool ok = object != NULL && json_object_update(schema, object) == 0;
	json_decref(object);
	return ok;
}

/* The schema of one step below `object`, made if need be. *last: this step is the leaf. */
static json_t *step(json_t *object, const char *name, bool optional, bool list, json_t *leaf)
{
	json_t *below;
	if (strcmp(name, "*") == 0) {
		if (leaf != NULL)
			(void)json_object_set(object, "additionalProperties", leaf);
		else if (!json_is_object(json_object_get(object, "additionalProperties")))
			(void)json_object_set_new(object, "additionalProperties", object_schema());
		return json_object_get(object, "additionalProperties");
	}
	json_t *properties = json_object_get(object, "properties");
	below = json_object_get(properties, name);
	if (below == NULL) {
		if (list)
			below = json_pack("{s:s}", "type", "array");
		else
			below = leaf != NULL ? json_incref(leaf) : object_schema();
		if (json_object_set_new(properties, name, below) < 0)
			return NULL;
		if (!optional)
			(void)json_array_append_new(
				json_object_get(object, "required"), json_string(name));
	}
	if (!list)
		return below;
	if (json_object_get(below, "items") == NULL)
		(void)json_object_set_new(
			below, "items", leaf != NULL ? json_incref(leaf) : object_schema());
	return json_object_get(below, "items");
}

static bool add_field(json_t *root, const struct rpc_field *field)
{
	char path[PATH_MAX_LEN], *rest = path, *name;
	json_t *at = root;
	if (strlen(field->path) >= sizeof(path))
		return false;
	(void)strcpy(path, field->path);
	json_t *leaf = type_schema(field->type, field->help);
	while (leaf != NULL && at != NULL && (name = strsep(&rest, ".")) != NULL) {
		size_t len = strlen(name);
		bool list = len > 2 && strcmp(name + len - 2, "[]") == 0;
		if (list)
			name[len -= 2] = '\0';
		bool optional = len > 0 && name[len - 1] == '?';
		if (optional)
			name[len - 1] = '\0';
		if (!make_object(at))
			at = NULL;
		else
			at = step(at, name, optional, list, rest == NULL ? leaf : NULL);
	}
	bool ok = leaf != NULL && at != NULL;
	json_decref(leaf);
	return ok;
}

json_t *rpc_fields_schema(const struct rpc_field *fields)
{
	json_t *schema = object_schema();
	for (unsigned i = 0; fields != NULL && fields[i].path != NULL && schema != NULL; i++) {
		if (i < RPC_FIELDS_MAX && add_field(schema, &fields[i]))
			continue;
		json_decref(schema);
		schema = NULL;
	}
	return schema;
}

/* ---- values against a schema ---- */

struct check {
	char path[PATH_MAX_LEN];
	char *error;
	size_t error_len;
};

static bool wrong(const struct check *c, const char *what)
{
	(void)snprintf(c->error, c->error_len, "%s%s%s", c->path, *c->path ? ": " : "", what);
	return false;
}

static bool is_type(const char *type, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING: return strcmp(type, "string") == 0;
	case JSON_INTEGER: return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
	case JSON_REAL: return strcmp(type, "number") == 0;
	case JSON_TRUE:
	case JSON_FALSE: return strcmp(type, "boolean") == 0;
	case JSON_OBJECT: return strcmp(type, "object") == 0;
	case JSON_ARRAY: return strcmp(type, "array") == 0;
	case JSON_NULL: return strcmp(type, "null") == 0;
	}
	return false;
}

static bool check_type(const struct check *c, const json_t *type, const json_t *value)
{
	char what[160] = "must be ";
	size_t len = strlen(what), i;
	const json_t *one;
	if (type == NULL)
		return true;
	if (json_is_string(type)) {
		if (is_type(json_string_value(type), value))
			return true;
		(void)snprintf(what + len, sizeof(what) - len, "%s", json_string_value(type));
		return wrong(c, what);
	}
	json_array_foreach(type, i, one)
	{
		if (is_type(json_string_value(one), value))
			return true;
		len += (size_t)snprintf(what + len, sizeof(what) - len, "%s%s", i > 0 ? " or " : "",
			json_string_value(one));
	}
	return wrong(c, what);
}

static bool check_enum(const struct check *c, const json_t *literals, const json_t *value)
{
	char what[320] = "must be one of";
	size_t len = strlen(what), i;
	const json_t *one;
	if (literals == NULL)
		return true;
	json_array_foreach(literals, i, one)
	{
		if (json_equal(one, value))
			return true;
		if (len < sizeof(what) - WORD_MAX)
			len += (size_t)snprintf(what + len, sizeof(what) - len, "%s %.60s",
				i > 0 ? "," : "",
				json_is_null(one) ? "null" : json_string_value(one));
	}
	return wrong(c, what);
}

static bool check_number(const struct check *c, const json_t *schema, const json_t *value)
{
	char what[96];
	const json_t *low = json_object_get(schema, "minimum"),
		     *high = json_object_get(schema, "maximum");
	if (low == NULL || !json_is_integer(value))
		return true;
	json_int_t v = json_integer_value(value);
	if (v >= json_integer_value(low) && v <= json_integer_value(high))
		return true;
	(void)snprintf(what, sizeof(what), "must be %lld to %lld",
		(long long)json_integer_value(low), (long long)json_integer_value(high));
	return wrong(c, what);
}

/* The one pattern there is. */
static bool check_id(const struct check *c, const json_t *schema, const json_t *value)
{
	const char *text = json_string_value(value);
	if (json_object_get(schema, "pattern") == NULL || text == NULL)
		return true;
	if (strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16)
		return true;
	return wrong(c, "must be 16 hexadecimal digits");
}

static bool check_value(struct check *c, const json_t *schema, const json_t *value);

static bool check_below(
	struct check *c, const char *name, const json_t *schema, const json_t *value)
{
	size_t len = strlen(c->path);
	(void)snprintf(c->path + len, sizeof(c->path) - len, "%s%s",
		len > 0 && *name != '[' ? "." : "", name);
	bool ok = check_value(c, schema, value);
	c->path[len] = '\0';
	return ok;
}

static bool is_required(const json_t *schema, const char *name)
{
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(schema, "required"), i, one)
	{
		if (strcmp(json_string_value(one), name) == 0)
			return true;
	}
	return false;
}

/* What may be absent may also be null. */
static bool check_object(struct check *c, const json_t *schema, const json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties"), *one;
	const json_t *more = json_object_get(schema, "additionalProperties");
	const char *name;
	json_t *item;
	size_t i;
	if (properties == NULL || !json_is_object(value))
		return true;
	json_array_foreach(json_object_get(schema, "required"), i, one)
	{
		name = json_string_value(one);
		if (json_object_get(value, name) == NULL)
			return check_below(c, name, NULL, NULL);
	}
	/* jansson's iteration takes no const object. */
	json_object_foreach((json_t *)value, name, item)
	{
		const json_t *below = json_object_get(properties, name);
		if (below == NULL)
			below = json_is_object(more) ? more : NULL;
		else if (json_is_null(item) && !is_required(schema, name))
			continue;
		if (!check_below(c, name, below, item))
			return false;
	}
	return true;
}

static bool check_value(struct check *c, const json_t *schema, const json_t *value)
{
	const json_t *items;
	json_t *item;
	size_t i;
	if (value == NULL)
		return wrong(c, "is missing");
	if (schema == NULL)
		return wrong(c, "is not known here");
	if (!check_type(c, json_object_get(schema, "type"), value) ||
		!check_enum(c, json_object_get(schema, "enum"), value) ||
		!check_number(c, schema, value) || !check_id(c, schema, value) ||
		!check_object(c, schema, value))
		return false;
	items = json_object_get(schema, "items");
	if (items == NULL || !json_is_array(value))
		return true;
	json_array_foreach(value, i, item)
	{
		char index[32];
		(void)snprintf(index, sizeof(index), "[%zu]", i);
		if (!check_below(c, index, items, item))
			return false;
	}
	return true;
}

bool rpc_schema_check(const json_t *schema, const json_t *value, char *error, size_t error_len)
{
	struct check c = {.error = error, .error_len = error_len};
	return check_value(&c, schema, value);
}
