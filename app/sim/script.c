#include "script.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

/* What follows a verb. */
enum shape {
	SHAPE_NONE,
	SHAPE_SERVER,
	SHAPE_RESTART, /* server [amnesia] */
	SHAPE_PAIR,
	SHAPE_SET,
	SHAPE_ZONE,
	SHAPE_SHARE,
	SHAPE_DURATION,
	SHAPE_STARVE, /* server RUN/PERIOD | server no */
	SHAPE_CLOCK,  /* server RATE [OFFSET] */
	SHAPE_KEY,
	SHAPE_KEY_VALUE,
};

static const struct verb {
	const char *name;
	enum step_kind kind;
	enum shape shape;
	const char *usage;
} verbs[] = {
	{"crash", STEP_CRASH, SHAPE_SERVER, "crash SERVER"},
	{"restart", STEP_RESTART, SHAPE_RESTART, "restart SERVER [amnesia]"},
	{"twin", STEP_TWIN, SHAPE_PAIR, "twin SERVER OF"},
	{"pause", STEP_PAUSE, SHAPE_SERVER, "pause SERVER"},
	{"resume", STEP_RESUME, SHAPE_SERVER, "resume SERVER"},
	{"block", STEP_BLOCK, SHAPE_SERVER, "block SERVER"},
	{"unblock", STEP_UNBLOCK, SHAPE_SERVER, "unblock SERVER"},
	{"starve", STEP_STARVE, SHAPE_STARVE, "starve SERVER RUN/PERIOD, or: starve SERVER no"},
	{"clock", STEP_CLOCK, SHAPE_CLOCK, "clock SERVER RATE [OFFSET]"},
	{"leave", STEP_LEAVE, SHAPE_SERVER, "leave SERVER"},
	{"drain", STEP_DRAIN, SHAPE_SERVER, "drain SERVER"},
	{"undrain", STEP_UNDRAIN, SHAPE_SERVER, "undrain SERVER"},
	{"forget", STEP_FORGET, SHAPE_PAIR, "forget AT SERVER"},
	{"cut", STEP_CUT, SHAPE_PAIR, "cut FROM TO"},
	{"mend", STEP_MEND, SHAPE_PAIR, "mend FROM TO"},
	{"split", STEP_SPLIT, SHAPE_SET, "split SERVER,SERVER,..."},
	{"zone", STEP_ZONE, SHAPE_ZONE, "zone ZONE"},
	{"heal", STEP_HEAL, SHAPE_NONE, "heal"},
	{"loss", STEP_LOSS, SHAPE_SHARE, "loss SHARE"},
	{"duplicate", STEP_DUPLICATE, SHAPE_SHARE, "duplicate SHARE"},
	{"reorder", STEP_REORDER, SHAPE_SHARE, "reorder SHARE"},
	{"corrupt", STEP_CORRUPT, SHAPE_SHARE, "corrupt SHARE"},
	{"delay", STEP_DELAY, SHAPE_DURATION, "delay TIME"},
	{"spread", STEP_SPREAD, SHAPE_DURATION, "spread TIME"},
	{"put", STEP_PUT, SHAPE_KEY_VALUE, "put SERVER KEY VALUE"},
	{"del", STEP_DEL, SHAPE_KEY, "del SERVER KEY"},
	{"restart-all", STEP_RESTART_ALL, SHAPE_NONE, "restart-all"},
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* ---- a list of steps ---- */

void script_fini(struct script *script)
{
	free(script->steps);
	*script = (struct script){0};
}

void script_add(struct script *script, const struct step *step)
{
	assert(script->count < SCRIPT_STEPS_MAX);
	assert(script->count == 0 || script->steps[script->count - 1].at_ns <= step->at_ns);
	if (script->count == script->cap) {
		script->cap = script->cap > 0 ? 2 * script->cap : 64;
		script->steps = realloc(script->steps, script->cap * sizeof(script->steps[0]));
		assert(script->steps != NULL);
	}
	script->steps[script->count++] = *step;
}

void script_without(const struct script *from, uint32_t first, uint32_t count, struct script *to)
{
	to->count = 0;
	for (uint32_t i = 0; i < from->count; i++)
		if (i < first || i >= first + count)
			script_add(to, &from->steps[i]);
}

/* ---- one line ---- */

struct parser {
	char *rest; /* of the line; cut up by next_word() */
	uint32_t servers, zones;
	const struct verb *verb;
	char *error;
};

static bool fail(struct parser *p, const char *what, const char *word)
{
	const char *shown = word != NULL ? word : "";
	if (p->verb == NULL)
		(void)snprintf(p->error, SCRIPT_ERROR_MAX, "%s '%.64s'", what, shown);
	else
		(void)snprintf(p->error, SCRIPT_ERROR_MAX, "%s '%.64s'; it reads: %s", what, shown, p->verb->usage);
	return false;
}

static char *next_word(struct parser *p)
{
	char *word;
	do
		word = strsep(&p->rest, " \t\r\n");
	while (word != NULL && *word == '\0');
	return word;
}

static bool parse_server(struct parser *p, uint32_t *server)
{
	const char *word = next_word(p);
	uint64_t value;
	if (word == NULL || !value_u64(word, UINT32_MAX, &value))
		return fail(p, "wants the number of a server, not", word);
	if (value >= p->servers)
		return fail(p, "there is no server", word);
	*server = (uint32_t)value;
	return true;
}

static bool parse_set(struct parser *p, struct step *step)
{
	char *list = next_word(p), *item;
	uint64_t value;
	if (list == NULL)
		return fail(p, "wants servers, not", list);
	while ((item = strsep(&list, ",")) != NULL) {
		if (!value_u64(item, SCRIPT_SET_MAX - 1, &value) || value >= p->servers)
			return fail(p, "there is no server", item);
		step->set[value / 64] |= 1ULL << (value % 64);
	}
	return true;
}

static bool parse_starve(struct parser *p, struct step *step)
{
	char *word = next_word(p);
	char *period = word != NULL ? strchr(word, '/') : NULL;
	if (word != NULL && strcmp(word, "no") == 0)
		return true;
	if (period == NULL)
		return fail(p, "wants RUN/PERIOD, not", word);
	*period++ = '\0';
	if (!value_duration(word, &step->ns) || !value_duration(period, &step->period_ns))
		return fail(p, "wants two times, not", word);
	if (step->ns == 0 || step->ns >= step->period_ns)
		return fail(p, "RUN must be above 0 and below PERIOD, not", word);
	return true;
}

static bool parse_clock(struct parser *p, struct step *step)
{
	const char *rate = next_word(p);
	if (rate == NULL || !value_rate(rate, &step->rate_ppm))
		return fail(p, "wants a rate from -50% to +50%, not", rate);
	const char *offset = next_word(p);
	if (offset != NULL && !value_duration(offset, &step->ns))
		return fail(p, "wants a time, not", offset);
	return true;
}

static bool parse_text(struct parser *p, char *out, size_t max)
{
	const char *word = next_word(p);
	if (word == NULL || strlen(word) > max)
		return fail(p, word == NULL ? "lacks a word after" : "too long:", word == NULL ? p->verb->name : word);
	memcpy(out, word, strlen(word) + 1);
	return true;
}

static bool parse_zone(struct parser *p, struct step *step)
{
	const char *word = next_word(p);
	uint64_t value;
	if (word == NULL || !value_u64(word, UINT32_MAX, &value) || value >= p->zones)
		return fail(p, "there is no zone", word);
	step->other = (uint32_t)value;
	return true;
}

static bool parse_restart(struct parser *p, struct step *step)
{
	if (!parse_server(p, &step->server))
		return false;
	const char *word = next_word(p);
	step->amnesia = word != NULL && strcmp(word, "amnesia") == 0;
	return word == NULL || step->amnesia || fail(p, "does not know", word);
}

static bool parse_arguments(struct parser *p, struct step *step)
{
	const char *word;
	switch (p->verb->shape) {
	case SHAPE_NONE: return true;
	case SHAPE_SERVER: return parse_server(p, &step->server);
	case SHAPE_RESTART: return parse_restart(p, step);
	case SHAPE_PAIR: return parse_server(p, &step->server) && parse_server(p, &step->other);
	case SHAPE_SET: return parse_set(p, step);
	case SHAPE_ZONE: return parse_zone(p, step);
	case SHAPE_SHARE:
		word = next_word(p);
		return (word != NULL && value_share(word, &step->ppm)) || fail(p, "wants a share such as 1%, not", word);
	case SHAPE_DURATION:
		word = next_word(p);
		return (word != NULL && value_duration(word, &step->ns)) ||
		       fail(p, "wants a time such as 50us, not", word);
	case SHAPE_STARVE: return parse_server(p, &step->server) && parse_starve(p, step);
	case SHAPE_CLOCK: return parse_server(p, &step->server) && parse_clock(p, step);
	case SHAPE_KEY: return parse_server(p, &step->server) && parse_text(p, step->key, SCRIPT_KEY_MAX);
	case SHAPE_KEY_VALUE:
		return parse_server(p, &step->server) && parse_text(p, step->key, SCRIPT_KEY_MAX) &&
		       parse_text(p, step->value, SCRIPT_VALUE_MAX);
	}
	return false;
}

static bool parse_time(struct parser *p, uint64_t previous_ns, uint64_t *at_ns)
{
	const char *word = next_word(p);
	if (word == NULL || !value_duration(word, at_ns))
		return fail(p, "wants a time such as 1.5s after 'at', not", word != NULL ? word : "");
	if (*at_ns < previous_ns)
		return fail(p, "time goes back to", word);
	return true;
}

bool script_parse_line(const char *line, uint32_t servers, uint32_t zones, uint64_t previous_ns, struct step *step,
	bool *empty, char error[SCRIPT_ERROR_MAX])
{
	char copy[SCRIPT_LINE_MAX];
	struct parser p = {.rest = copy, .servers = servers, .zones = zones, .error = error};
	(void)snprintf(copy, sizeof(copy), "%s", line);
	copy[strcspn(copy, "#")] = '\0';
	*step = (struct step){.at_ns = previous_ns};
	char *word = next_word(&p);
	*empty = word == NULL;
	if (*empty)
		return true;
	if (strcmp(word, "at") == 0) {
		if (!parse_time(&p, previous_ns, &step->at_ns))
			return false;
		word = next_word(&p);
	}
	if (word == NULL)
		return fail(&p, "lacks a step after", "at");
	const struct verb *verb = verbs;
	while (verb < verbs + VERBS && strcmp(verb->name, word) != 0)
		verb++;
	if (verb == verbs + VERBS)
		return fail(&p, "there is no step", word);
	p.verb = verb;
	step->kind = verb->kind;
	if (!parse_arguments(&p, step))
		return false;
	word = next_word(&p);
	return word == NULL || fail(&p, "does not know", word);
}

bool script_read(FILE *file, const char *name, uint32_t servers, uint32_t zones, struct script *script,
	char error[SCRIPT_ERROR_MAX])
{
	char line[SCRIPT_LINE_MAX], why[SCRIPT_ERROR_MAX];
	uint64_t previous_ns = 0;
	for (uint32_t number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
		struct step step;
		bool empty, ok;
		if (strlen(line) == sizeof(line) - 1) {
			(void)snprintf(why, sizeof(why), "a line is longer than %d bytes", SCRIPT_LINE_MAX - 2);
			ok = false;
		} else if (script->count == SCRIPT_STEPS_MAX) {
			(void)snprintf(why, sizeof(why), "more than %d steps", SCRIPT_STEPS_MAX);
			ok = false;
		} else {
			ok = script_parse_line(line, servers, zones, previous_ns, &step, &empty, why);
		}
		if (!ok) {
			(void)snprintf(error, SCRIPT_ERROR_MAX, "%.60s:%" PRIu32 ": %.180s", name, number, why);
			return false;
		}
		if (empty)
			continue;
		script_add(script, &step);
		previous_ns = step.at_ns;
	}
	return true;
}

/* ---- back to text ---- */

static void print_set(const struct step *s, char *out, size_t cap)
{
	size_t at = 0;
	for (uint32_t i = 0; i < SCRIPT_SET_MAX && at + 8 < cap; i++)
		if (s->set[i / 64] >> (i % 64) & 1)
			at += (size_t)snprintf(out + at, cap - at, "%s%" PRIu32, at > 0 ? "," : "", i);
}

static void print_arguments(const struct step *s, enum shape shape, char *out, size_t cap)
{
	char a[32], b[32];
	out[0] = '\0';
	switch (shape) {
	case SHAPE_NONE: break;
	case SHAPE_SERVER: (void)snprintf(out, cap, " %" PRIu32, s->server); break;
	case SHAPE_RESTART: (void)snprintf(out, cap, " %" PRIu32 "%s", s->server, s->amnesia ? " amnesia" : ""); break;
	case SHAPE_PAIR: (void)snprintf(out, cap, " %" PRIu32 " %" PRIu32, s->server, s->other); break;
	case SHAPE_ZONE: (void)snprintf(out, cap, " %" PRIu32, s->other); break;
	case SHAPE_SET:
		out[0] = ' ';
		print_set(s, out + 1, cap - 1);
		break;
	case SHAPE_SHARE: (void)snprintf(out, cap, " %s", value_print_share(s->ppm, a, sizeof(a))); break;
	case SHAPE_DURATION: (void)snprintf(out, cap, " %s", value_print_duration(s->ns, a, sizeof(a))); break;
	case SHAPE_STARVE:
		if (s->period_ns == 0)
			(void)snprintf(out, cap, " %" PRIu32 " no", s->server);
		else
			(void)snprintf(out, cap, " %" PRIu32 " %s/%s", s->server, value_print_duration(s->ns, a, sizeof(a)),
				value_print_duration(s->period_ns, b, sizeof(b)));
		break;
	case SHAPE_CLOCK:
		(void)snprintf(out, cap, " %" PRIu32 " %+" PRId32 "ppm %s", s->server, s->rate_ppm,
			value_print_duration(s->ns, a, sizeof(a)));
		break;
	case SHAPE_KEY: (void)snprintf(out, cap, " %" PRIu32 " %s", s->server, s->key); break;
	case SHAPE_KEY_VALUE: (void)snprintf(out, cap, " %" PRIu32 " %s %s", s->server, s->key, s->value); break;
	}
}

const char *script_print_step(const struct step *step, char out[SCRIPT_LINE_MAX])
{
	char at[32], arguments[SCRIPT_LINE_MAX - 64];
	const struct verb *verb = verbs;
	while (verb->kind != step->kind)
		verb++;
	print_arguments(step, verb->shape, arguments, sizeof(arguments));
	(void)snprintf(out, SCRIPT_LINE_MAX, "at %s %s%s", value_print_duration(step->at_ns, at, sizeof(at)),
		verb->name, arguments);
	return out;
}
