#include "control_survey.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control_jobs.h"

enum { SCAN_BUCKETS = 8 };

static bool make_room(struct survey *s, size_t key_len)
{
	if (s->keys == s->cap) {
		uint32_t cap = s->cap == 0 ? 1024 : 2 * s->cap;
		uint32_t *entries = realloc(s->entries, cap * sizeof(entries[0]));
		s->entries = entries != NULL ? entries : s->entries;
		size_t *names = realloc(s->names, cap * sizeof(names[0]));
		s->names = names != NULL ? names : s->names;
		if (entries == NULL || names == NULL)
			return false;
		s->cap = cap;
	}
	if (s->text_len + key_len + 1 > s->text_cap) {
		size_t cap = 2 * s->text_cap + 65536;
		char *text = realloc(s->text, cap);
		if (text == NULL)
			return false;
		s->text = text;
		s->text_cap = cap;
	}
	return true;
}

static void visit(void *context, const struct map_view *v)
{
	struct survey *s = context;
	if (v->tombstone || !ownership_is_registered_prefix(v->key, v->key_len))
		return;
	if (s->failed || !make_room(s, v->key_len) ||
		rendezvous_table_register(s->table, v->key_hash, s->keys, &s->entries[s->keys]) <
			0) {
		s->failed = true;
		return;
	}
	memcpy(s->text + s->text_len, v->key, v->key_len);
	s->text[s->text_len + v->key_len] = '\0';
	s->names[s->keys++] = s->text_len;
	s->text_len += v->key_len + 1;
}

static bool step(struct job *job, struct rpc_call *call, void *context)
{
	struct survey *s = context;
	struct control *control = job_control(job);
	bool more = true;
	while (more && !s->failed && !job_over(job))
		more = map_scan_reader(control->app->map, &s->cursor, SCAN_BUCKETS, visit, s);
	if (more && !s->failed)
		return false;
	if (s->failed)
		rpc_error(call, RPC_INTERNAL, "no memory");
	else
		s->done(control, call, s);
	return true;
}

static void end(void *context)
{
	struct survey *s = context;
	rendezvous_table_destroy(s->table);
	free(s->entries);
	free(s->names);
	free(s->text);
	free(s->context);
	free(s);
}

void survey_start(struct control *control, struct rpc_call *call,
	void (*done)(struct control *control, struct rpc_call *call, struct survey *survey),
	void *context)
{
	const struct appliance *app = control->app;
	struct survey *s = calloc(1, sizeof(*s));
	if (s == NULL ||
		rendezvous_table_create(app->config->map_records_max, NULL, NULL, &s->table) < 0) {
		rpc_error(call, RPC_INTERNAL, "no memory");
		free(s);
		free(context);
		return;
	}
	if (app->config->ownership_zone_aware)
		rendezvous_table_zone_aware(s->table);
	s->server_count = ownership_servers_reader(app->keeper.ownership, s->servers);
	s->done = done;
	s->context = context;
	/* They are in range: the keeper's table took them. */
	(void)rendezvous_table_servers(s->table, s->servers, s->server_count);
	job_start(control, call, step, end, s);
}

const char *survey_key(const struct survey *s, uint32_t key)
{
	return s->text + s->names[key];
}

int survey_owner(const struct survey *s, uint32_t key, const struct rendezvous_server *servers,
	uint32_t count)
{
	struct rendezvous_ranks ranks;
	if (!rendezvous_table_read_reader(s->table, s->entries[key], &ranks) || ranks.count == 0)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		if (servers[i].id == ranks.ids[0])
			return (int)i;
	return -1;
}

double survey_expected(uint64_t keys, uint32_t weight, uint64_t weights)
{
	return weights == 0 ? 0 : (double)keys * weight / (double)weights;
}

double survey_sigmas(uint64_t keys, uint32_t weight, uint64_t weights, uint64_t owned)
{
	double p = weights == 0 ? 0 : (double)weight / (double)weights;
	double deviation = sqrt((double)keys * p * (1 - p));
	return deviation > 0 ? ((double)owned - (double)keys * p) / deviation : 0;
}
