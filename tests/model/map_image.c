#include "map_image.h"

#include <stdio.h>
#include <string.h>

#include "map_world.h"
#include "small/memory.h"

static struct image images[REPLICAS_MAX];
static struct image *current;

void image_begin(uint32_t replica)
{
	current = &images[replica];
	memset(current->bytes, 0, current->used);
	current->used = 0;
}

void *image_aligned_alloc(size_t align, size_t size)
{
	size_t at = (current->used + align - 1) / align * align;
	if (at + size > IMAGE_SIZE) {
		fprintf(stderr, "a replica of %zu bytes: a larger IMAGE_SIZE is needed\n",
			at + size);
		abort();
	}
	current->used = at + size;
	return current->bytes + at;
}

void *image_calloc(size_t n, size_t size)
{
	return image_aligned_alloc(64, n * size); /* zeroed by image_begin() */
}

void image_free(void *p)
{
	(void)p; /* with the whole replica */
}

void image_save(uint32_t replica, struct image *to)
{
	to->used = images[replica].used;
	memcpy(to->bytes, images[replica].bytes, to->used);
}

void image_load(uint32_t replica, const struct image *from)
{
	images[replica].used = from->used;
	memcpy(images[replica].bytes, from->bytes, from->used);
}
