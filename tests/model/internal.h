/* What the files of the cluster share. */
#pragma once

#include "cluster.h"

enum said_kind { SAID_GOSSIP, SAID_TABLE, SAID_JOIN, SAID_JOIN_ACK };

struct said {
	uint8_t kind, from, from_epoch, from_instance;
	struct rec rec; /* JOIN_ACK: of the asker: epoch and instance that are remembered of it */
	uint8_t asker_instance;
};

/* The moment at which all steps happen. */
#define NOW_NS (1000 * SW_NS_PER_S)

/* machine.c */
struct swim *cluster_machine(uint32_t server);
void cluster_load(const struct state *s, uint32_t server, uint64_t now_ns);
struct sw_endpoint cluster_endpoint(uint32_t server);
uint64_t cluster_id(uint32_t server);
uint32_t cluster_server_of(uint64_t id);
int rec_compare(const struct rec *a, const struct rec *b);
struct rec rec_of(const struct wire_member *m);
struct wire_member rec_member(const struct rec *r);

/* network.c */
const struct said *said_at(uint16_t what);
bool is_said(const struct state *s, uint32_t what);
void said_clear(void);
void say_output(struct state *s, uint32_t from);
/* What its probes, its answers and its table pages say to anybody who asks now. */
void say_answers(struct state *s, uint32_t from);
void deliver(uint32_t to, const struct said *said);
uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len);

/* check.c: returns what no longer holds, or NULL. */
const char *cluster_save(struct state *s, uint32_t server);
