/* The bounds of lib/base/limits.h for the model's build: a replica of a few servers is then a few
 * tens of kilobytes. */
#pragma once

enum {
	SW_MEMBERS_MAX = 8,
	SW_ACTORS_MAX = 32,
	SW_SEEDS_MAX = 4,
	SW_NAME_MAX = 63,
	SW_ZONE_MAX = 31,
	SW_KEY_MAX = 255,
	SW_WEIGHT_MAX = 1000,
	SW_WEIGHT_DEFAULT = 100,
	SW_OWNER_RANKS = 3,
	SW_LANES_MAX = 2,
};
