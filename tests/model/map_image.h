/* The memory of each replica: taken in order from one piece at a fixed place, which can be copied
 * away and back, pointers and all. */
#pragma once

#include "deltamap/deltamap.h"

enum { IMAGE_SIZE = 96 * 1024, IMAGE_LINE = 64, IMAGE_DIFF_MAX = IMAGE_SIZE + IMAGE_SIZE / 32 };

struct image {
	size_t used;
	_Alignas(64) uint8_t bytes[IMAGE_SIZE];
};

/* For the replica's next map; what its last one had is gone. */
struct map_memory image_begin(uint32_t replica);
/* So that what a map leaves as it finds it does not depend on what was there. */
void image_wipe(uint32_t replica);
void image_save(uint32_t replica, struct image *to);
void image_load(uint32_t replica, const struct image *from);
/* The lines in which the replica's memory differs from `base`, each behind its number; how many
 * bytes that is. As much must be in use as there. */
size_t image_diff(uint32_t replica, const struct image *base, uint8_t diff[IMAGE_DIFF_MAX]);
void image_load_diff(
	uint32_t replica, const struct image *base, const uint8_t *diff, size_t diff_len);
