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

void image_wipe(uint32_t replica)
{
	memset(images[replica].bytes, 0, IMAGE_SIZE);
}

size_t image_diff(uint32_t replica, const struct image *base, uint8_t diff[IMAGE_DIFF_MAX])
{
	const struct image *image = &images[replica];
	size_t len = 0;
	if (image->used != base->used)
		abort(); /* a map takes the same memory in each life */
	for (size_t at = 0; at < image->used; at += IMAGE_LINE) {
		uint16_t line = (uint16_t)(at / IMAGE_LINE);
		if (memcmp(image->bytes + at, base->bytes + at, IMAGE_LINE) == 0)
			continue;
		memcpy(diff + len, &line, sizeof(line));
		memcpy(diff + len + sizeof(line), image->bytes + at, IMAGE_LINE);
		len += sizeof(line) + IMAGE_LINE;
	}
	return len;
}

void image_load_diff(
	uint32_t replica, const struct image *base, const uint8_t *diff, size_t diff_len)
{
	struct image *image = &images[replica];
	image_load(replica, base);
	for (size_t at = 0; at < diff_len; at += sizeof(uint16_t) + IMAGE_LINE) {
		uint16_t line;
		memcpy(&line, diff + at, sizeof(line));
		memcpy(image->bytes + (size_t)line * IMAGE_LINE, diff + at + sizeof(line),
			IMAGE_LINE);
	}
}
