#include "sw_test.h"

#include <stdio.h>
#include <string.h>

#include "seal_world.h"

struct driver_row {
	const char *name;
	enum seal_driver driver;
};

static const struct driver_row drivers[] = {{"ipsec_mb", SEAL_IPSEC_MB},
	{"aesni_gcm", SEAL_AESNI_GCM}, {"aesni_mb", SEAL_AESNI_MB}, {"openssl", SEAL_OPENSSL}};

SW_TEST(seal, chooses_a_device_and_says_why)
{
	struct seal_config config = {.cluster = 1, .lanes = 2, .senders_max = 1, .numa_node = -1};
	struct seal_keyring ring = seal_world_ring(1, 1);
	char choice[SEAL_ERROR_MAX] = "", error[SEAL_ERROR_MAX] = "";
	struct seal *seal = NULL;
	SW_ASSERT_TRUE(seal_world());
	SW_ASSERT_EQ(seal_create(&config, &ring, &seal, choice, error), 0);
	(void)printf("%s\n", choice);
	SW_EXPECT_TRUE(strstr(choice, "cycles to open and seal a probe") != NULL);
	seal_destroy(seal);
}

SW_TEST_TABLE(seal, what_one_seals_another_opens, const struct driver_row *row, drivers)
{
	static const uint16_t lens[] = {WIRE_PRELUDE_LEN, 56, 57, 500, WIRE_BODY_MAX};
	struct seal_keyring ring = seal_world_ring(1, 1);
	struct actor alice = {1, 7};
	SW_ASSERT_TRUE(seal_world());
	struct seal *seal = seal_world_create(row->driver, &ring, 0);
	SW_ASSERT_TRUE(seal != NULL);
	struct seal_sender *sender = seal_sender_create_owner(seal, alice, 99);
	SW_ASSERT_EQ(seal_life_owner(seal, alice, 99), 0);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct seal_packet p = seal_world_packet(sender, lens[i]);
		SW_EXPECT_EQ(seal_world_seal(seal, &p), SEAL_OK);
		SW_EXPECT_FALSE(seal_world_is_whole(&p));
		SW_EXPECT_EQ(seal_world_open(seal, &p), SEAL_OK);
		SW_EXPECT_TRUE(seal_world_is_whole(&p));
		SW_EXPECT_TRUE(actor_equal(p.h.sender, alice));
		SW_EXPECT_EQ(p.h.counter, i + 1u);
		seal_world_free(&p);
	}
	seal_destroy(seal);
}
