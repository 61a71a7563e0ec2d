/* Steps and states in words, for who has to understand a trace. */
#include <stdio.h>

#include "internal.h"

static int describe_rec(char *text, size_t size, const struct rec *r)
{
	static const char *const states[] = {"alive", "suspect", "dead", "left", "forgotten"};
	return snprintf(text, size, "%c %s %u/%u/%u", 'a' + r->server, states[r->state], r->epoch,
		r->instance, r->incarnation);
}

void cluster_describe(const struct step *t, char *text, size_t size)
{
	static const char *const kinds[] = {"suspects", "declares dead", "crashes", "starts",
		"has joined", "leaves", "forgets", "reaps", "hears"};
	static const char *const said[] = {"gossip", "page", "join", "join ack"};
	int n = snprintf(text, size, "%c %s", 'a' + t->a, kinds[t->kind]);
	if (t->kind == STEP_DELIVER) {
		const struct said *m = said_at(t->what);
		n += snprintf(
			text + n, size - (size_t)n, " %s of %c: ", said[m->kind], 'a' + m->from);
		(void)describe_rec(text + n, size - (size_t)n, &m->rec);
	} else if (t->kind == STEP_START) {
		(void)snprintf(text + n, size - (size_t)n, " with a %s instance",
			t->b ? "larger" : "smaller");
	} else if (t->kind != STEP_CRASH && t->kind != STEP_JOINED && t->kind != STEP_LEAVE) {
		(void)snprintf(text + n, size - (size_t)n, " %c", 'a' + t->b);
	}
}

void cluster_describe_state(const struct state *s, char *text, size_t size)
{
	static const char *const phases[] = {"joining", "running", "left", "stood down"};
	size_t n = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < SERVERS && n + 200 < size; i++) {
		const struct node *node = &s->nodes[i];
		n += (size_t)snprintf(text + n, size - n, "%c %s:", 'a' + i,
			node->up ? phases[node->phase] : "down");
		for (uint32_t k = 0; k < SERVERS && node->up; k++) {
			if (!node->views[k].used)
				continue;
			n += (size_t)snprintf(text + n, size - n, " [");
			n += (size_t)describe_rec(text + n, size - n, &node->views[k].rec);
			n += (size_t)snprintf(text + n, size - n, "]");
		}
		n += (size_t)snprintf(text + n, size - n, "; ");
	}
}
