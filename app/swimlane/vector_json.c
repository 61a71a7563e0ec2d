/* Version vectors in the RPC: opaque to clients, readable for people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "watch.h"

json_t *vector_to_json(const struct version_vector *vv)
{
	json_t *j = json_object();
	char name[32];
	for (uint32_t i = 0; i < vv->count; i++) {
		const struct vv_entry *e = &vv->entries[i];
		(void)snprintf(
			name, sizeof(name), "%016" PRIx64 "@%" PRIu32, e->actor.id, e->actor.epoch);
		json_object_set_new(j, name, json_integer((json_int_t)e->seq));
	}
	return j;
}

static bool read_actor(const char *name, struct actor *actor)
{
	char *end;
	if (strspn(name, "0123456789abcdef") != 16 || name[16] != '@' ||
		strspn(name + 17, "0123456789") == 0)
		return false;
	actor->id = strtoull(name, &end, 16);
	unsigned long epoch = strtoul(name + 17, &end, 10);
	actor->epoch = (uint32_t)epoch;
	return *end == '\0' && epoch <= UINT32_MAX && strlen(name + 17) <= 10;
}

bool vector_from_json(json_t *j, struct version_vector *vv, char *error, size_t error_len)
{
	const char *name;
	json_t *value;
	vv_clear(vv);
	json_object_foreach(j, name, value)
	{
		struct actor actor;
		if (!read_actor(name, &actor) || !json_is_integer(value)) {
			(void)snprintf(error, error_len,
				"%.40s: not an entry, as in {\"00000000000000a1@12\": 345}", name);
			return false;
		}
		if (vv_raise(vv, actor, (uint64_t)json_integer_value(value)) < 0) {
			(void)snprintf(error, error_len, "more than %d entries", SW_ACTORS_MAX);
			return false;
		}
	}
	return true;
}
