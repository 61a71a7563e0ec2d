/* The installed client header against the library, and against the published values. */
#include "sw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "rendezvous/rendezvous.h"
#include "swimlane/rendezvous.h"

enum { NAMES_MAX = 128, WORD_MAX = 320 };

SW_TEST(client_header, hashes_weights_and_scores_are_the_librarys)
{
	struct sw_random random = sw_random_seed(91);
	for (int i = 0; i < 300000; i++) {
		uint64_t key = sw_random_u64(&random), id = sw_random_u64(&random);
		uint64_t h = sw_random_u64(&random) >> sw_random_below(&random, 64);
		uint16_t w = (uint16_t)(1 + sw_random_below(&random, SW_WEIGHT_MAX));
		SW_ASSERT_EQ(swimlane_weight(key, id),
			rendezvous_weight(key, rendezvous_server_hash(id)));
		SW_ASSERT_EQ(swimlane_score(h, w), rendezvous_score(h, w));
		SW_ASSERT_EQ(swimlane_score(~h, w), rendezvous_score(~h, w));
	}
	SW_EXPECT_EQ(swimlane_cluster_seed("ams1"), rendezvous_cluster_seed("ams1"));
	SW_EXPECT_EQ(swimlane_key_hash(7, "origin/a", 8), rendezvous_key_hash(7, "origin/a", 8));
	SW_EXPECT_EQ(swimlane_id("edge-01"), config_id_of_name("edge-01"));
	SW_EXPECT_EQ(swimlane_zone("z1"), rendezvous_zone("z1"));
	SW_EXPECT_EQ(swimlane_zone(""), rendezvous_zone(""));
}

SW_TEST(client_header, owners_are_the_librarys)
{
	struct sw_random random = sw_random_seed(92);
	struct rendezvous_server theirs[40];
	struct swimlane_server ours[40];
	for (int round = 0; round < 4000; round++) {
		uint32_t n = (uint32_t)sw_random_below(&random, 41), order[40];
		uint32_t want = (uint32_t)sw_random_below(&random, 8);
		uint64_t key = sw_random_u64(&random);
		size_t found[40];
		for (uint32_t i = 0; i < n; i++) {
			uint64_t weight = round % 2 ? 100 : 1 + sw_random_below(&random, 1000);
			theirs[i] =
				rendezvous_server_make(sw_random_u64(&random), (uint16_t)weight);
			theirs[i].zone = (uint32_t)sw_random_below(&random, 1 + round % 3);
			ours[i] = (struct swimlane_server){
				theirs[i].id, theirs[i].weight, theirs[i].zone};
		}
		for (int zones = 0; zones < 2; zones++) {
			uint32_t count = zones ? rendezvous_rank_zones(key, theirs, n, order, want)
					       : rendezvous_rank(key, theirs, n, order, want);
			SW_ASSERT_EQ(swimlane_owners(key, ours, n, zones, found, want), count);
			for (uint32_t i = 0; i < count; i++)
				SW_ASSERT_EQ(found[i], order[i]);
		}
	}
}

static const char *next_word(FILE *file, char word[WORD_MAX])
{
	return fscanf(file, "%319s", word) == 1 ? word : "";
}

/* "owners CLUSTER KEY N NAME:WEIGHT:ZONE ... NAME ...", without its first word. */
static void check_owners(FILE *file, int zone_aware)
{
	static char names[NAMES_MAX][WORD_MAX];
	struct swimlane_server servers[NAMES_MAX];
	size_t order[NAMES_MAX];
	char word[WORD_MAX];
	uint64_t seed = swimlane_cluster_seed(next_word(file, word));
	next_word(file, word);
	uint64_t key = swimlane_key_hash(seed, word, strlen(word));
	size_t n = strtoull(next_word(file, word), NULL, 10);
	SW_ASSERT_TRUE(n <= NAMES_MAX);
	for (size_t i = 0; i < n; i++) {
		char zone[WORD_MAX];
		unsigned weight;
		next_word(file, word);
		SW_ASSERT_EQ(sscanf(word, "%[^:]:%u:%s", names[i], &weight, zone), 3);
		servers[i] = (struct swimlane_server){
			swimlane_id(names[i]), (uint16_t)weight, swimlane_zone(zone)};
	}
	SW_ASSERT_EQ(swimlane_owners(key, servers, n, zone_aware, order, n), n);
	for (size_t i = 0; i < n; i++)
		SW_EXPECT_STR(names[order[i]], next_word(file, word));
}

SW_TEST(client_header, agrees_with_the_published_values)
{
	const char *folder = getenv("SW_VECTORS");
	char path[512], word[WORD_MAX], text[WORD_MAX], other[WORD_MAX];
	uint32_t owners = 0, zones = 0, ids = 0, keys = 0;
	(void)snprintf(path, sizeof(path), "%s/rendezvous.txt", folder ? folder : "tests/vectors");
	FILE *file = fopen(path, "re");
	SW_ASSERT_TRUE(file != NULL);
	while (*next_word(file, word) != '\0') {
		if (strcmp(word, "owners") == 0 || strcmp(word, "zones") == 0) {
			check_owners(file, *word == 'z');
			owners += *word == 'o';
			zones += *word == 'z';
		} else if (strcmp(word, "id") == 0) {
			uint64_t id = swimlane_id(next_word(file, text));
			SW_EXPECT_EQ(id, strtoull(next_word(file, other), NULL, 10));
			ids++;
		} else if (strcmp(word, "key") == 0) {
			uint64_t seed = swimlane_cluster_seed(next_word(file, text));
			next_word(file, text);
			SW_EXPECT_EQ(swimlane_key_hash(seed, text, strlen(text)),
				strtoull(next_word(file, other), NULL, 10));
			keys++;
		}
	}
	(void)fclose(file);
	SW_EXPECT_EQ(owners, 20u);
	SW_EXPECT_EQ(zones, 20u);
	SW_EXPECT_EQ(ids, 22u);
	SW_EXPECT_EQ(keys, 12u);
}
