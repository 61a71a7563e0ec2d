#include "health/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
	[HEALTH_UNKNOWN] = "unknown",
	[HEALTH_UP] = "up",
	[HEALTH_DOWN] = "down",
	[HEALTH_MAINTENANCE] = "maintenance",
};

const char *health_state_name(enum health_state state)
{
	return state_names[state];
}

static void average(uint32_t *average_us, uint32_t latency_us)
{
	int64_t step = ((int64_t)latency_us - *average_us) / 8;
	*average_us = *average_us == 0 ? latency_us : (uint32_t)(*average_us + step);
}

bool verdict_take(struct health_verdict *verdict, uint32_t *streak,
	const struct health_origin *origin, const struct probe_result *result, uint64_t now_ms)
{
	enum health_state seen = result->ok ? HEALTH_UP : HEALTH_DOWN;
	verdict->checks++;
	verdict->checked_ms = now_ms;
	verdict->latency_us = result->latency_us;
	if (result->ok)
		average(&verdict->latency_avg_us, result->latency_us);
	memcpy(verdict->error, result->error, sizeof(verdict->error));
	if (seen == verdict->state) {
		*streak = 0;
		return false;
	}
	uint32_t needed = result->ok ? origin->rise : origin->fall;
	bool judged = verdict->state == HEALTH_UP || verdict->state == HEALTH_DOWN;
	if (judged && ++*streak < needed)
		return false;
	*streak = 0;
	verdict->state = seen;
	verdict->since_ms = now_ms;
	return true;
}

bool verdict_rest(
	struct health_verdict *verdict, const struct health_origin *origin, uint64_t now_ms)
{
	bool changed = verdict->state != HEALTH_MAINTENANCE;
	verdict->checked_ms = now_ms;
	(void)snprintf(verdict->error, sizeof(verdict->error), "%s", origin->maintenance);
	if (!changed)
		return false;
	verdict->state = HEALTH_MAINTENANCE;
	verdict->since_ms = now_ms;
	return true;
}

/* An error may quote an origin's bytes or be cut within a character; JSON wants UTF-8. */
static json_t *error_to_json(const char *error)
{
	json_t *json = json_string(error);
	if (json)
		return json;
	char ascii[HEALTH_ERROR_MAX];
	snprintf(ascii, sizeof(ascii), "%s", error);
	for (char *c = ascii; *c; c++)
		if ((uint8_t)*c >= 0x80)
			*c = '?';
	return json_string(ascii);
}

json_t *health_verdict_to_json(const struct health_verdict *verdict)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "state",
		health_state_name(verdict->state), "since_ms", (json_int_t)verdict->since_ms,
		"checked_ms", (json_int_t)verdict->checked_ms, "latency_us",
		(json_int_t)verdict->latency_us, "latency_avg_us",
		(json_int_t)verdict->latency_avg_us, "checks", (json_int_t)verdict->checks, "error",
		error_to_json(verdict->error));
}

static int get_u64(json_t *json, const char *key, uint64_t max, uint64_t *value)
{
	json_t *field = json_object_get(json, key);
	if (!json_is_integer(field) || json_integer_value(field) < 0)
		return -EINVAL;
	*value = (uint64_t)json_integer_value(field);
	return *value <= max ? 0 : -EINVAL;
}

/* Keys that are not known are left alone: the verdict may come from a newer server. */
int health_verdict_from_json(json_t *json, struct health_verdict *verdict)
{
	struct health_verdict v = {0};
	uint64_t latency_us, latency_avg_us = 0;
	const char *state = json_string_value(json_object_get(json, "state"));
	const char *error = json_string_value(json_object_get(json, "error"));
	if (!state || !error || get_u64(json, "since_ms", INT64_MAX, &v.since_ms) < 0 ||
		get_u64(json, "checked_ms", INT64_MAX, &v.checked_ms) < 0 ||
		get_u64(json, "checks", INT64_MAX, &v.checks) < 0 ||
		get_u64(json, "latency_us", UINT32_MAX, &latency_us) < 0)
		return -EINVAL;
	if (json_object_get(json, "latency_avg_us") &&
		get_u64(json, "latency_avg_us", UINT32_MAX, &latency_avg_us) < 0)
		return -EINVAL;
	v.latency_us = (uint32_t)latency_us;
	v.latency_avg_us = (uint32_t)latency_avg_us;
	snprintf(v.error, sizeof(v.error), "%s", error);
	for (int i = HEALTH_UNKNOWN; i <= HEALTH_MAINTENANCE; i++) {
		if (strcmp(state, state_names[i]) == 0) {
			v.state = (enum health_state)i;
			*verdict = v;
			return 0;
		}
	}
	return -EINVAL;
}
