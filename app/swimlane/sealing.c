#include "sealing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { SENDERS_MAX = 8 }; /* the own lives of one process: now, and until nobody uses the last */

static void remember_ring(struct sealing *s, const struct seal_keyring *ring)
{
	s->key_count = ring->count;
	s->send_id = ring->send_id;
	for (uint32_t i = 0; i < ring->count; i++) {
		s->key_ids[i] = ring->keys[i].id;
		seal_fingerprint(&ring->keys[i], s->fingerprints[i]);
	}
}

int sealing_create(struct appliance *app, uint32_t epoch, char *error)
{
	const struct config *c = app->config;
	struct seal_keyring ring;
	if (c->keyring[0] == '\0')
		return 0; /* insecure: config has made sure */
	struct sealing *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "no memory for sealing");
		return -ENOMEM;
	}
	app->sealing = s;
	s->app = app;
	int rc = seal_keyring_load(c->keyring, &ring, error);
	if (rc < 0)
		return rc;
	struct seal_config config = {.driver = c->crypto,
		.cluster = app->cluster_tag,
		.lanes = c->lane_count,
		.senders_max = SENDERS_MAX,
		.numa_node = SOCKET_ID_ANY,
		.rcu = app->rcu};
	rc = seal_create(&config, &ring, &app->seal, s->choice, error);
	if (rc == 0)
		remember_ring(s, &ring);
	seal_keyring_wipe(&ring);
	if (rc < 0)
		return rc;
	struct seal_sender *sender =
		seal_sender_create_owner(app->seal, (struct actor){c->id, epoch}, app->instance);
	if (sender == NULL) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "no memory for the own key");
		return -ENOMEM;
	}
	atomic_store(&app->sender, sender);
	return 0;
}

void sealing_destroy(struct appliance *app)
{
	seal_destroy(app->seal);
	app->seal = NULL;
	free(app->sealing);
	app->sealing = NULL;
}

static int try_key(struct sealing *s, const uint8_t *packet, const struct wire_header *h)
{
	struct seal *seal = s->app->seal;
	if (seal_knows(seal, h->sender, h->instance))
		return 0; /* by an earlier packet, or by what members told */
	if (h->instance == s->forged_instance && actor_equal(h->sender, s->forged))
		return -EBADMSG;
	s->knocks--;
	int rc = seal_admit_owner(seal, packet, h);
	s->counters.admitted += rc == 0;
	if (rc == -EBADMSG) {
		s->forged = h->sender;
		s->forged_instance = h->instance;
	}
	return rc;
}

/* A packet of a sender that no lane knows: if it is authentic the lane gets it back. */
static void admit(struct sealing *s, struct lane *lane, struct rte_mbuf *m)
{
	struct packet_meta meta = *packet_meta(m);
	const uint8_t *packet = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta.payload_offset);
	struct wire_header h;
	struct sw_reader body;
	/* The lane has read it before. */
	(void)wire_read_header(packet, meta.payload_len, s->app->cluster_tag, &h, &body);
	int rc = try_key(s, packet, &h);
	if (rc == 0 && rte_ring_sp_enqueue(lane->from_control, m) == 0) {
		idle_wake(&lane->idle);
		return;
	}
	s->counters.answer_full += rc == 0;
	s->counters.forged += rc == -EBADMSG;
	s->counters.no_key += rc == -ENOKEY;
	s->counters.no_room += rc == -ENOSPC || rc == -ENOMEM;
	rte_pktmbuf_free(m);
}

/* In turns, so that one lane's flood does not shut out the others. */
static void admit_some(struct sealing *s, uint64_t now_ns)
{
	uint64_t ms = (now_ns - s->refilled_ns) / SW_NS_PER_MS;
	if (ms > 0) {
		uint64_t more = s->knocks + ms * SEALING_KNOCKS_PER_MS;
		s->knocks = (uint32_t)sw_min_u64(more, SEALING_KNOCKS_MAX);
		s->refilled_ns = now_ns;
	}
	s->forged = (struct actor){0, 0};
	bool any = true;
	for (unsigned turns = 0; any && turns < LANE_TO_CONTROL_MAX; turns++) {
		any = false;
		for (uint16_t l = 0; l < s->app->config->lane_count && s->knocks > 0; l++) {
			struct lane *lane = &s->app->lanes[l];
			struct rte_mbuf *m;
			if (rte_ring_sc_dequeue(lane->to_control, (void **)&m) != 0)
				continue;
			any = true;
			admit(s, lane, m);
		}
	}
}

/* Who was told of by somebody who could be trusted need not knock. */
static void follow_members(struct sealing *s)
{
	const struct members_view *view = view_get_reader(s->app->board);
	struct actor members[SW_MEMBERS_MAX];
	uint32_t n = 0;
	if (view->version == s->members_seen)
		return;
	s->members_seen = view->version;
	for (uint32_t i = 0; i < view->count; i++)
		if (!view->members[i].self && view->members[i].record.state <= WIRE_DEAD)
			members[n++] = view->members[i].record.actor;
	seal_members_owner(s->app->seal, members, n);
	for (uint32_t i = 0; i < view->count; i++) {
		const struct swim_member *m = &view->members[i];
		if (!m->self && m->record.state <= WIRE_DEAD &&
			seal_life_owner(s->app->seal, m->record.actor, m->record.instance) < 0)
			s->counters.no_room++;
	}
}

static void follow_self(struct sealing *s)
{
	struct appliance *app = s->app;
	struct actor self = view_get_reader(app->board)->self;
	struct seal_sender *old = atomic_load_explicit(&app->sender, memory_order_relaxed);
	if (actor_equal(seal_sender_actor(old), self))
		return;
	struct seal_sender *sender = seal_sender_create_owner(app->seal, self, app->instance);
	if (sender == NULL)
		return; /* the last ones wait for their grace period: the next turn tries again */
	atomic_store_explicit(&app->sender, sender, memory_order_release);
	seal_sender_retire_owner(old);
}

static void watch_counters(struct sealing *s)
{
	for (uint16_t l = 0; l < s->app->config->lane_count && !s->exhausted; l++)
		if (s->app->lanes[l].counters.drops[DROP_EXHAUSTED] > 0) {
			s->exhausted = true;
			log_line(LOG_ERROR,
				"lane %u has used up its packet counters and sends nothing any "
				"more: stopping, a new start is a new instance with new keys",
				l);
		}
}

void sealing_tick(struct appliance *app, uint64_t now_ns)
{
	struct sealing *s = app->sealing;
	if (app->seal == NULL)
		return;
	seal_tick_owner(app->seal);
	follow_self(s);
	follow_members(s);
	admit_some(s, now_ns);
	watch_counters(s);
}

int sealing_reload(struct appliance *app, char *error)
{
	struct seal_keyring ring;
	if (app->seal == NULL) {
		(void)snprintf(error, SEAL_ERROR_MAX,
			"packets are in the clear (insecure: true): there is no keyring");
		return -EINVAL;
	}
	int rc = seal_keyring_load(app->config->keyring, &ring, error);
	if (rc == 0)
		rc = seal_keys_owner(app->seal, &ring, error);
	if (rc == 0) {
		remember_ring(app->sealing, &ring);
		app->sealing->reloads++;
	}
	seal_keyring_wipe(&ring);
	return rc;
}
