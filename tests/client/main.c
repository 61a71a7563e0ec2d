/* A client as others would write it: the installed header alone, in C99 and in C++11. */
#include <swimlane/rendezvous.h>

#include <stdio.h>

int main(void)
{
	static const char *const names[] = {"edge-01", "edge-02", "edge-03"};
	struct swimlane_server servers[3];
	size_t order[3], n, i;
	uint64_t key = swimlane_key_hash(swimlane_cluster_seed("ams1"), "origin/shop", 11);
	for (i = 0; i < 3; i++) {
		servers[i].id = swimlane_id(names[i]);
		servers[i].weight = i == 1 ? 200 : 100;
		servers[i].zone = swimlane_zone("");
	}
	n = swimlane_owners(key, servers, 3, 0, order, 3);
	for (i = 0; i < n; i++)
		printf("%u %s\n", (unsigned)i + 1, names[order[i]]);
	return n == 3 ? 0 : 1;
}
