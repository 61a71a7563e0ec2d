#include "config_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Stands before each block. */
struct head {
	size_t cap;
	_Alignas(max_align_t) unsigned char block[];
};

void *config_memory(void *context, void *block, size_t size)
{
	struct head *head = block == NULL
				    ? NULL
				    : (struct head *)((char *)block - offsetof(struct head, block));
	(void)context;
	if (size == 0) {
		free(head);
		return NULL;
	}
	if (head != NULL && size <= head->cap)
		return block;
	size_t cap = head == NULL ? size : size + size / 2;
	if (cap > SIZE_MAX - sizeof(*head) || cap < size)
		return NULL;
	head = realloc(head, sizeof(*head) + cap);
	if (head == NULL)
		return NULL;
	head->cap = cap;
	return head->block;
}

char *config_memory_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = config_memory(NULL, NULL, size);
	return copy == NULL ? NULL : memcpy(copy, text, size);
}
