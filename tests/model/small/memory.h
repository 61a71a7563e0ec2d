/* Put in front of each file of the model's build of the map: what a replica allocates lies in one
 * piece of memory of its own, so that the whole replica can be copied away and back. */
#pragma once

#include <stdlib.h>

void *image_calloc(size_t n, size_t size);
void *image_aligned_alloc(size_t align, size_t size);
void image_free(void *p);

#define calloc        image_calloc
#define aligned_alloc image_aligned_alloc
#define free          image_free
