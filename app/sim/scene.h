/* A simulator with a script played on it, invariants checked after every event, and a trace kept.
 *
 * scene_run() plays the script as virtual time passes. The liveness phase comes after it: first a
 * part heals (scene_settle_part), while the rest stays as broken as it is, then everything
 * (scene_settle). They must converge within scene_part_bound_ns(), and scene_bound_ns() and
 * scene_maps_bound_ns(), which state how quickly a cluster must recover and why. One thread.
 */
#pragma once

#include "invariants.h"
#include "marks.h"
#include "script.h"
#include "sim.h"
#include "trace.h"

struct scene {
	struct sim *sim;
	const struct script *script;
	uint32_t next_step;
	uint64_t began_ns;
	bool unchecked;
	struct invariants *invariants;
	struct marks marks;
	struct trace trace;
	bool broken;
	struct violation violation;
	uint64_t twinned[SCRIPT_SET_MAX / 64]; /* had a twin, or were one */
	uint64_t part_ns, members_ns, maps_ns; /* that the phases of settling took */
	uint32_t unseen; /* gone, and held for members by somebody when all was whole */
	/* Besides; set before scene_run(). */
	struct sim_observer besides;                             /* on_event and on_packet */
	void (*on_step)(void *context, const struct step *step); /* before it is done */
};

/* The script is used, not copied. Never NULL. */
struct scene *scene_create(const struct sim_config *config, const struct script *script);
void scene_destroy(struct scene *scene);

/* False: something broke, scene->violation says what; the scene stands still. */
bool scene_run(struct scene *scene, uint64_t for_ns);
/* Every invariant at every server; for callers that acted on the simulator themselves. */
bool scene_check(struct scene *scene);
/* Links among these servers (bit i: server i; one group), and they themselves, are made whole: they
 * must agree about one another, if one of them is a seed or they have all met. */
bool scene_settle_part(struct scene *scene, const uint64_t part[SCRIPT_SET_MAX / 64]);
/* Everything is made whole: twins end, and those of `revive` that are no members (any more), or had
 * a twin, are restarted. */
bool scene_settle(struct scene *scene, const uint64_t revive[SCRIPT_SET_MAX / 64]);

/* From when all is whole until all that run are members: the join wait. */
uint64_t scene_join_bound_ns(const struct sim_config *config);
/* In which then all that run hold equal and right tables:
 *
 *     10 probe intervals + longest suspicion
 *
 * and, if `unseen` > 0 that are gone are still held for members by somebody, until the last of
 * them is probed in vain by a server at the worst local health that nobody helps (SWIM 4.3: by the
 * (2n - 1)th probe, of which each in vain takes 9 intervals):
 *
 *   + probe interval * (9 * (1 + 2 * unseen) + 2 * members - 1)
 */
uint64_t scene_bound_ns(const struct sim_config *config, uint32_t unseen);
/* In which the members of a part that is whole hold one another for alive, while the rest is
 * broken. Perhaps each of them is the only one of its side that can reach the others:
 *
 *     10 probe intervals + longest suspicion
 *   + 2 rejoin intervals * (members - 1 + seeds)	each tries one of the lost, at least every
 *second time
 */
uint64_t scene_part_bound_ns(const struct sim_config *config);
/* The first line. */
uint64_t scene_claim_ns(const struct sim_config *config);
/* In which, after that, their maps are equal:
 *
 *     two session timeouts	    a pull from each side that was under way to a server that is
 *gone
 *   + join wait * (1 + 4)	    nobody is ready: who may declare itself first waits one, and
 *holds others for starting for four after they said so
 *   + 20 pull intervals	    whoever lacks something pulls from a random peer, epidemically
 */
uint64_t scene_maps_bound_ns(const struct sim_config *config);

/* Drops script steps of a failing run as long as `fails` says that it still fails. */
void scene_shrink(struct script *script, bool (*fails)(void *context, const struct script *script),
	void *context);
