/* Bounds that hold everywhere. Every table and queue is sized by one of them or by configuration.
 */
#pragma once

enum {
	SW_MEMBERS_MAX = 256, /* servers of one datacenter; planned for 128, refused above */
	SW_ACTORS_MAX = 1024, /* (server, epoch) pairs in one version vector */
	SW_SEEDS_MAX = 16,
	SW_NAME_MAX = 63,     /* bytes of a server's name */
	SW_ZONE_MAX = 31,     /* bytes of a zone's name */
	SW_KEY_MAX = 255,     /* bytes of a map key */
	SW_WEIGHT_MAX = 1000, /* of a server; 100 is the ordinary one */
	SW_WEIGHT_DEFAULT = 100,
	SW_OWNER_RANKS = 3, /* ranks kept of each registered key */
	SW_LANES_MAX = 16,
};
