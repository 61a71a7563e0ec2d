/* A cluster of whole servers in virtual time, ready for an experiment: all joined, all quiet, with
 * a watch on what each of them says of the others and on what they send.
 *
 * The watch is reset when the cluster is ready and by cluster_reset(). One owner.
 */
#pragma once

#include <stdbool.h>

#include "sim.h"

struct cluster_config {
	uint32_t servers;
	uint64_t seed;
	struct swim_profile profile;
	struct swim_features features;
	uint64_t link_ns; /* each packet takes this long, and up to a tenth more */
	uint32_t records_max;
	enum map_push push;
};

struct cluster {
	struct sim *sim;
	uint32_t servers;
	uint64_t packets, bytes; /* of membership, sent by all */
	/* Called for each event that one server tells of another. */
	void *context;
	void (*on_event)(
		void *context, uint32_t viewer, uint32_t subject, const struct swim_event *event);
};

/* False: they did not find each other within a minute and 100 probe intervals of virtual time. */
bool cluster_create(struct cluster *cluster, const struct cluster_config *config);
void cluster_destroy(struct cluster *cluster);
void cluster_reset(struct cluster *cluster);
/* Until all that run hold the same, right table; false if that takes longer than `limit_ns`. */
bool cluster_settle(struct cluster *cluster, uint64_t limit_ns);
