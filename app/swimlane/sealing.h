/* Control's part of sealing: it makes keys and sessions, and lets new senders in. Lanes only seal
 * and open (lib/seal). Everything here runs on control's thread, online in RCU.
 */
#pragma once

#include "appliance.h"

enum { SEALING_KNOCKS_PER_MS = 4, SEALING_KNOCKS_MAX = 64 };

struct sealing_counters {
	uint64_t admitted;    /* senders that were new here */
	uint64_t forged;      /* "new senders" that hold no key */
	uint64_t no_key;      /* whose key was taken out meanwhile */
	uint64_t no_room;     /* every place is held by a member */
	uint64_t answer_full; /* lanes did not take their packets back */
};

struct sealing {
	struct appliance *app;
	struct sealing_counters counters;
	uint64_t members_seen;
	uint64_t refilled_ns;
	struct actor forged; /* the last that was found so; of this turn */
	uint64_t forged_instance;
	uint32_t knocks; /* that may still be looked at now */
	uint64_t reloads;
	bool exhausted; /* a lane has used up its counters: only a new instance can go on */
	char choice[SEAL_ERROR_MAX];
	uint32_t key_count; /* for people: the ring as it was last taken over */
	uint8_t send_id;
	uint8_t key_ids[SEAL_KEYS_MAX];
	char fingerprints[SEAL_KEYS_MAX][SEAL_FINGERPRINT_MAX];
};

/* After RCU and rings. Nothing if the configuration says insecure. 0 or -errno with `error`
 * (CONFIG_ERROR_MAX bytes). */
int sealing_create(struct appliance *app, uint32_t epoch, char *error);
void sealing_destroy(struct appliance *app);

/* Every turn of control's loop: lets in who knocked, follows members and the own epoch, frees what
 * no lane uses any more. */
void sealing_tick(struct appliance *app, uint64_t now_ns);

/* Reads the keyring anew. 0 or -errno with `error` (SEAL_ERROR_MAX bytes); then nothing changed. */
int sealing_reload(struct appliance *app, char *error);
