/* counter.add, counter.get, set.add, set.remove, set.members; and what earlier lives of this server
 * left of counters, taken over. */
#include "control_jobs.h"
#include "control_listing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_DEFAULT = 1000, SCAN_BUCKETS = 128 };

/* ---- writes ---- */

/* A write whose caller waits for it. If the caller goes first, `call` is cleared. */
struct typed_write {
	struct control *control;
	struct rpc_call *call;
	const char *label; /* "name" or "element" */
	bool counts;       /* the answer says what this life has added in all */
	char text[SW_KEY_MAX + 1];
};

static void on_gone(struct rpc_call *call, void *context)
{
	struct typed_write *w = context;
	(void)call;
	w->call = NULL;
}

static void write_error(struct typed_write *w, int result)
{
	switch (result) {
	case -ERANGE:
		rpc_error(w->call, RPC_REFUSED,
			"%s: what this server has added in all would not fit 64 bits", w->text);
		break;
	case -EBADMSG:
		rpc_error(w->call, RPC_INTERNAL,
			"%s: what this server has added is stored in a form that it cannot read",
			w->text);
		break;
	case -EINVAL:
		rpc_error(w->call, RPC_INVALID_PARAMS, "%s: must not be empty", w->label);
		break;
	default: commands_rpc_error(w->call, w->text, result); break;
	}
}

static void on_written(struct keeper_command *command)
{
	struct typed_write *w = command->context;
	if (w->call != NULL && command->result < 0) {
		write_error(w, command->result);
	} else if (w->call != NULL) {
		json_t *j = json_pack("{s:s, s:o}", w->label, w->text, "dot",
			dot_to_json(w->control, command->dot));
		if (w->counts)
			json_object_set_new(j, "own", json_integer(command->number));
		rpc_result(w->call, j);
	}
	free(w);
}

static void typed_submit(struct control *control, struct rpc_call *call,
	enum keeper_command_kind kind, const void *key, size_t key_len, int64_t number,
	const char *label, const char *text)
{
	struct typed_write *w = calloc(1, sizeof(*w));
	if (w == NULL) {
		rpc_error(call, RPC_INTERNAL, "no memory");
		return;
	}
	w->control = control;
	w->call = call;
	w->label = label;
	w->counts = kind == KEEPER_ADD;
	(void)snprintf(w->text, sizeof(w->text), "%s", text);
	int rc = commands_submit_bytes(control, kind, key, key_len, NULL, 0, number, on_written, w);
	if (rc == 0) {
		rpc_defer(call, on_gone, w);
		return;
	}
	write_error(w, rc);
	free(w);
}

/* The name of a counter or set; NULL after answering what is wrong with it. */
static const char *name_of(struct rpc_call *call, json_t *params)
{
	const char *name = control_text(call, params, "name");
	if (name == NULL)
		return NULL;
	size_t len = strlen(name);
	if (len > 0 && len <= TYPED_NAME_MAX)
		return name;
	rpc_error(call, len == 0 ? RPC_INVALID_PARAMS : RPC_TOO_LARGE, "name: 1 to %d bytes",
		TYPED_NAME_MAX);
	return NULL;
}

static void counter_add(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *by = json_object_get(params, "by");
	const char *name = name_of(call, params);
	if (name == NULL)
		return;
	typed_submit(control, call, KEEPER_ADD, name, strlen(name),
		by != NULL ? json_integer_value(by) : 1, "name", name);
}

static void set_write(struct control *control, struct rpc_call *call, json_t *params,
	enum keeper_command_kind kind)
{
	uint8_t key[SW_KEY_MAX];
	const char *name = name_of(call, params);
	const char *element = name != NULL ? control_text(call, params, "element") : NULL;
	if (element == NULL)
		return;
	size_t len = typed_element_key(key, name, strlen(name), element, strlen(element));
	if (len == 0)
		rpc_error(call, *element == '\0' ? RPC_INVALID_PARAMS : RPC_TOO_LARGE,
			"element: 1 byte at least; with the set's name %d at most", SW_KEY_MAX - 3);
	else
		typed_submit(control, call, kind, key, len, 0, "element", element);
}

static void set_add(struct control *control, struct rpc_call *call, json_t *params)
{
	set_write(control, call, params, KEEPER_PUT);
}

static void set_remove(struct control *control, struct rpc_call *call, json_t *params)
{
	set_write(control, call, params, KEEPER_DEL);
}

/* ---- reading ---- */

struct counting {
	char name[TYPED_NAME_MAX + 1];
	uint8_t prefix[SW_KEY_MAX];
	size_t len;
	uint32_t cursor;
	struct typed_total total;
};

static void visit_cell(void *context, const struct map_view *v)
{
	struct counting *c = context;
	if (v->key_len > c->len && memcmp(v->key, c->prefix, c->len) == 0)
		typed_total_add(&c->total, v);
}

static bool count_step(struct job *job, struct rpc_call *call, void *context)
{
	struct counting *c = context;
	int64_t value = 0;
	while (map_scan_reader(job_control(job)->app->map, &c->cursor, SCAN_BUCKETS, visit_cell, c))
		if (job_over(job))
			return false;
	int rc = typed_total_sum(&c->total, &value);
	if (rc == -ERANGE)
		rpc_error(call, RPC_REFUSED, "%s: the sum does not fit 64 bits", c->name);
	else if (rc < 0)
		rpc_error(call, RPC_INTERNAL, "%s: a part of it cannot be read", c->name);
	else
		rpc_result(call, json_pack("{s:s, s:I, s:i}", "name", c->name, "value",
					 (json_int_t)value, "parts", (int)c->total.count));
	return true;
}

static void counter_get(struct control *control, struct rpc_call *call, json_t *params)
{
	const char *name = name_of(call, params);
	struct counting *c = name != NULL ? calloc(1, sizeof(*c)) : NULL;
	if (name == NULL)
		return;
	if (c == NULL) {
		rpc_error(call, RPC_INTERNAL, "no memory");
		return;
	}
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	c->len = typed_prefix(c->prefix, TYPED_COUNTER, name, strlen(name));
	job_start(control, call, count_step, free, c);
}

static json_t *element_item(struct control *control, const struct map_view *view, void *context)
{
	struct typed_key k;
	(void)control;
	(void)context;
	return typed_parse(view->key, view->key_len, &k)
		       ? json_stringn((const char *)k.element, k.element_len)
		       : NULL;
}

static void members_tail(
	struct listing_text *text, const void *last, size_t last_len, size_t items, void *context)
{
	struct typed_key k;
	(void)items;
	listing_add(text, "],\"next\":");
	bool more = last != NULL && typed_parse(last, last_len, &k);
	json_t *next = more ? json_stringn((const char *)k.element, k.element_len) : json_null();
	listing_add_json(text, next != NULL ? next : json_null());
	listing_add(text, ",\"name\":");
	listing_add_json(text, json_string(context));
	listing_add(text, "}");
}

static void set_members(struct control *control, struct rpc_call *call, json_t *params)
{
	json_t *limit = json_object_get(params, "limit");
	const char *after = "";
	uint8_t prefix[SW_KEY_MAX], after_key[SW_KEY_MAX];
	const char *name = name_of(call, params);
	if (name == NULL || !control_text_or(call, params, "after", &after))
		return;
	size_t after_len = typed_element_key(after_key, name, strlen(name), after, strlen(after));
	if (*after != '\0' && after_len == 0) {
		rpc_error(call, RPC_INVALID_PARAMS, "after: no element is that long");
		return;
	}
	struct listing l = {
		.prefix = (const char *)prefix,
		.prefix_len = typed_prefix(prefix, TYPED_SET, name, strlen(name)),
		.after = after_len > 0 ? after_key : NULL,
		.after_len = after_len,
		.limit = limit == NULL ? MEMBERS_DEFAULT : (size_t)json_integer_value(limit),
		.reserved = true,
		.head = "{\"elements\":[",
		.item = element_item,
		.tail = members_tail,
		.context = strdup(name),
		.end = free,
	};
	if (l.context == NULL)
		rpc_error(call, RPC_INTERNAL, "no memory");
	else
		listing_start(control, call, &l);
}

/* ---- earlier lives ---- */

static struct leftover *leftover_find(struct control *control, const struct typed_key *k)
{
	for (uint32_t i = 0; i < control->leftover_count; i++) {
		struct leftover *l = &control->leftovers[i];
		if (l->epoch == k->actor.epoch && l->name_len == k->name_len &&
			memcmp(l->name, k->name, k->name_len) == 0)
			return l;
	}
	return NULL;
}

static void note_leftover(struct control *control, const struct map_view *v)
{
	const struct swim_member *self =
		view_find(view_get_reader(control->app->board), control->app->config->id);
	struct typed_key k;
	if (self == NULL || v->tombstone || !typed_parse(v->key, v->key_len, &k) ||
		k.kind != TYPED_COUNTER || k.actor.id != self->record.actor.id ||
		k.actor.epoch >= self->record.actor.epoch)
		return;
	struct leftover *l = leftover_find(control, &k);
	if (l == NULL && control->leftover_count == LEFTOVERS_MAX) {
		control->leftovers_unseen = true; /* looked for again when there is room */
		return;
	}
	if (l == NULL) {
		l = &control->leftovers[control->leftover_count++];
		*l = (struct leftover){.epoch = k.actor.epoch, .name_len = k.name_len};
		memcpy(l->name, k.name, k.name_len);
	}
	l->state = LEFTOVER_NEW;
}

void typed_changed(struct control *control, const struct map_view *view)
{
	if (typed_is_reserved(view->key, view->key_len))
		note_leftover(control, view);
}

static void visit_leftover(void *context, const struct map_view *v)
{
	note_leftover(context, v);
}

/* What was asked of the keeper; the list may have been put in another order meanwhile. */
struct leftover_request {
	struct control *control;
	struct leftover of;
};

static void on_leftover(struct keeper_command *command)
{
	struct leftover_request *r = command->context;
	struct typed_key k = {
		.name = r->of.name, .name_len = r->of.name_len, .actor = {.epoch = r->of.epoch}};
	struct leftover *l = leftover_find(r->control, &k);
	if (l == NULL || l->state != LEFTOVER_ASKED) {
		/* it came anew meanwhile, and begins anew */
	} else if (command->kind == KEEPER_FOLD && command->result == 0) {
		l->state = LEFTOVER_FOLDED;
		l->dot = command->dot;
	} else if (command->result == -EAGAIN || command->result == -ENOSPC) {
		l->state = LEFTOVER_NEW;
	} else { /* retired; or gone */
		*l = r->control->leftovers[--r->control->leftover_count];
	}
	free(r);
}

static void ask(struct control *control, struct leftover *l, enum keeper_command_kind kind)
{
	struct leftover_request *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return;
	r->control = control;
	r->of = *l;
	if (commands_submit_bytes(
		    control, kind, l->name, l->name_len, NULL, 0, l->epoch, on_leftover, r) == 0)
		l->state = LEFTOVER_ASKED;
	else
		free(r);
}

/* Some of the table, or a few leftovers, a turn. */
void typed_tick(struct control *control, uint64_t now_ns)
{
	struct map *map = control->app->map;
	if (!map_ready(map) || now_ns < control->next_leftovers_ns)
		return;
	if (control->leftovers_unseen && !map_scan_reader(map, &control->leftovers_cursor,
						 SCAN_BUCKETS, visit_leftover, control)) {
		control->leftovers_unseen = false;
		control->leftovers_cursor = 0;
	}
	for (uint32_t i = 0; i < control->leftover_count; i++) {
		struct leftover *l = &control->leftovers[i];
		if (l->state == LEFTOVER_NEW)
			ask(control, l, KEEPER_FOLD);
		else if (l->state == LEFTOVER_FOLDED && spread_is_settled(control, l->dot))
			ask(control, l, KEEPER_RETIRE);
	}
	if (!control->leftovers_unseen)
		control->next_leftovers_ns = now_ns + SW_NS_PER_S / 2;
}

void typed_methods(struct control *control)
{
	control->leftovers_unseen = true; /* what stood in the snapshot was never told */
	control_add(control, "counter.add", counter_add);
	control_add(control, "counter.get", counter_get);
	control_add(control, "set.add", set_add);
	control_add(control, "set.remove", set_remove);
	control_add(control, "set.members", set_members);
}
