#include "map_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_world.h"

static struct image images[REPLICAS_MAX];
static void *take(void *context, size_t bytes)
{
	struct image *image = context;
	size_t at = (image->used + 63) / 64 * 64;
	if (at + bytes > IMAGE_SIZE) {
		fprintf(stderr, "a replica of %zu bytes: a larger IMAGE_SIZE is needed\n",
			at + bytes);
		abort();
	}
	image->used = at + bytes;
	return image->bytes + at;
}

/* With the whole replica. */
static void give(void *context, void *block, size_t bytes)
{
	(void)context;
	(void)block;
	(void)bytes;
}

struct map_memory image_begin(uint32_t replica)
{
	struct image *image = &images[replica];
	image->used = 0;
	return (struct map_memory){take, give, image};
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
