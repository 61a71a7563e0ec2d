/* The memory of each replica: taken in order from one piece at a fixed place, which can be copied
 * away and back, pointers and all. */
#pragma once

#include "deltamap/deltamap.h"

enum { IMAGE_SIZE = 96 * 1024 };

struct image {
	size_t used;
	_Alignas(64) uint8_t bytes[IMAGE_SIZE];
};

/* For the replica's next map; what its last one had is gone. */
struct map_memory image_begin(uint32_t replica);
void image_save(uint32_t replica, struct image *to);
void image_load(uint32_t replica, const struct image *from);
