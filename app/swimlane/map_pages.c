#include "map_pages.h"

#include <string.h>
#include <sys/mman.h>

#include <numa.h>

#include <rte_common.h>
#include <rte_malloc.h>

#define LARGE_PAGE ((size_t)2 << 20)

/* The kernel makes a large page only where a whole one lies: the block begins at one. */
static void *map_aligned(size_t bytes)
{
	size_t len = RTE_ALIGN_CEIL(bytes, LARGE_PAGE) + LARGE_PAGE;
	uint8_t *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	uint8_t *start = RTE_PTR_ALIGN_CEIL(at, LARGE_PAGE);
	uint8_t *end = start + RTE_ALIGN_CEIL(bytes, LARGE_PAGE);
	/* Whole pages in a mapping of our own: cannot fail; and what stays is never touched. */
	if (start > at)
		(void)munmap(at, (size_t)(start - at));
	if (end < at + len)
		(void)munmap(end, (size_t)(at + len - end));
	return start;
}

/* What is asked of the kernel here it may refuse: then it is slower, and as right. */
static void *take_mapped(const struct map_pages *p, size_t bytes)
{
	uint8_t *at = map_aligned(bytes);
	if (at == NULL)
		return NULL;
	if (p->node != MAP_PAGES_ANY_NODE && numa_available() >= 0)
		numa_tonode_memory(at, bytes, p->node);
	if (bytes >= LARGE_PAGE)
		(void)madvise(at, RTE_ALIGN_FLOOR(bytes, LARGE_PAGE), MADV_HUGEPAGE);
	return memset(at, 0, bytes);
}

static void *take(void *context, size_t bytes)
{
	struct map_pages *p = context;
	if (p->count == MAP_PAGES_BLOCKS_MAX)
		return NULL;
	void *at = NULL;
	if (p->hugepages)
		at = rte_zmalloc_socket("map", bytes, RTE_CACHE_LINE_SIZE, p->node);
	p->blocks[p->count].mapped = at == NULL;
	if (at == NULL)
		at = take_mapped(p, bytes);
	if (at != NULL)
		p->blocks[p->count++].at = at;
	return at;
}

/* As the map gives them: in the order opposite to that of taking. */
static void give(void *context, void *block, size_t bytes)
{
	struct map_pages *p = context;
	RTE_VERIFY(p->count > 0 && p->blocks[p->count - 1].at == block);
	if (p->blocks[--p->count].mapped)
		(void)munmap(block, RTE_ALIGN_CEIL(bytes, LARGE_PAGE)); /* as it was mapped */
	else
		rte_free(block);
}

struct map_memory map_pages_init(struct map_pages *p, int node, bool hugepages)
{
	*p = (struct map_pages){.node = node, .hugepages = hugepages};
	return (struct map_memory){take, give, p};
}

uint32_t map_pages_from_dpdk(const struct map_pages *p)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->count; i++)
		n += !p->blocks[i].mapped;
	return n;
}
