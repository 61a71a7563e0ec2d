#include "sw_test.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "place.h"

/* Roles are placed on the CPUs that this process may use; each test gives them back. */
struct cpus {
	cpu_set_t before;
	unsigned count;
	unsigned first, last; /* among them; the same one if there is only one */
};

static char error[512];

static struct cpus cpus_take(void)
{
	struct cpus c = {.count = 0};
	SW_EXPECT_EQ(sched_getaffinity(0, sizeof(c.before), &c.before), 0);
	c.count = (unsigned)CPU_COUNT(&c.before);
	for (unsigned cpu = CPU_SETSIZE; cpu-- > 0;)
		if (CPU_ISSET(cpu, &c.before))
			c.first = cpu;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &c.before))
			c.last = cpu;
	error[0] = '\0';
	return c;
}

static void cpus_give_back(const struct cpus *c)
{
	SW_EXPECT_EQ(sched_setaffinity(0, sizeof(c->before), &c->before), 0);
}

static struct config given(unsigned control, unsigned keeper, unsigned lanes, unsigned lane)
{
	struct config c = {.cpus_given = true,
		.control_cpu = (uint16_t)control,
		.keeper_cpu = (uint16_t)keeper,
		.lane_count = (uint16_t)lanes};
	for (unsigned i = 0; i < lanes; i++)
		c.lane_cpus[i] = (uint16_t)lane;
	return c;
}

SW_TEST(place, given_cpus_are_taken_and_the_calling_thread_stays_off_the_others)
{
	struct cpus cpus = cpus_take();
	struct config c = given(cpus.first, cpus.first, 1, cpus.last);
	struct place p;
	char wanted[64];
	cpu_set_t now;
	SW_EXPECT_EQ(place_roles(&c, &p, error, sizeof(error)), 0);
	snprintf(wanted, sizeof(wanted), "0@%u,1@%u,2@%u", cpus.first, cpus.first, cpus.last);
	SW_EXPECT_STR(p.lcores, wanted);
	SW_EXPECT_STR(p.cpus, "");
	SW_EXPECT_EQ(p.cpu_count, cpus.count);
	SW_EXPECT_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
	SW_EXPECT_EQ(CPU_COUNT(&now), 1);
	SW_EXPECT_TRUE(CPU_ISSET(cpus.first, &now));
	cpus_give_back(&cpus);
}

SW_TEST(place, every_role_that_shares_a_cpu_is_noticed)
{
	struct cpus cpus = cpus_take();
	struct place p;
	struct config keeper = given(cpus.first, cpus.first, 0, 0);
	SW_EXPECT_EQ(place_roles(&keeper, &p, error, sizeof(error)), 0);
	SW_EXPECT_TRUE(p.shared);
	cpus_give_back(&cpus);
	struct config lane = given(cpus.first, cpus.last, 1, cpus.last);
	SW_EXPECT_EQ(place_roles(&lane, &p, error, sizeof(error)), 0);
	SW_EXPECT_TRUE(p.shared);
	cpus_give_back(&cpus);
	struct config lanes = given(cpus.first, cpus.first, 2, cpus.last);
	SW_EXPECT_EQ(place_roles(&lanes, &p, error, sizeof(error)), 0);
	SW_EXPECT_TRUE(p.shared);
	cpus_give_back(&cpus);
	/* Without lanes two CPUs are enough for everybody to be alone. */
	struct config alone = given(cpus.first, cpus.last, 0, 0);
	SW_EXPECT_EQ(place_roles(&alone, &p, error, sizeof(error)), 0);
	SW_EXPECT_EQ(p.shared, cpus.count == 1);
	cpus_give_back(&cpus);
}

struct refused_row {
	const char *name;
	const char *role;
	bool control, keeper, lane; /* whose CPU is not allowed */
};

static const struct refused_row refused_rows[] = {
	{"control", "for the control", true, false, false},
	{"keeper", "for the keeper", false, true, false},
	{"lane", "for the lane", false, false, true},
};

SW_TEST_TABLE(place, cpu_that_is_not_allowed_is_told_with_its_role, const struct refused_row *row,
	refused_rows)
{
	struct cpus cpus = cpus_take();
	struct place p;
	unsigned bad = cpus.last + 1;
	char number[32];
	struct config c = given(row->control ? bad : cpus.first, row->keeper ? bad : cpus.first, 1,
		row->lane ? bad : cpus.first);
	cpu_set_t now;
	SW_EXPECT_EQ(place_roles(&c, &p, error, sizeof(error)), -EINVAL);
	snprintf(number, sizeof(number), "CPU %u ", bad);
	SW_EXPECT_TRUE(strstr(error, number) != NULL);
	SW_EXPECT_TRUE(strstr(error, row->role) != NULL);
	SW_EXPECT_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
	SW_EXPECT_TRUE(CPU_EQUAL(&now, &cpus.before)); /* nothing was changed */
	cpus_give_back(&cpus);
}

SW_TEST(place, cpu_number_beyond_all_sets_is_refused)
{
	struct cpus cpus = cpus_take();
	struct place p;
	struct config c = given(cpus.first, UINT16_MAX, 1, cpus.first);
	SW_EXPECT_EQ(place_roles(&c, &p, error, sizeof(error)), -EINVAL);
	SW_EXPECT_TRUE(strstr(error, "CPU 65535") != NULL);
	cpus_give_back(&cpus);
}

SW_TEST(place, without_given_cpus_every_role_floats_over_those_of_the_process)
{
	struct cpus cpus = cpus_take();
	struct config c = {.lane_count = 2};
	struct place p;
	cpu_set_t one, now;
	CPU_ZERO(&one);
	CPU_SET(cpus.last, &one);
	SW_EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	SW_EXPECT_EQ(place_roles(&c, &p, error, sizeof(error)), 0);
	char wanted[128];
	snprintf(wanted, sizeof(wanted), "0@(%u),1@(%u),2@(%u),3@(%u)", cpus.last, cpus.last,
		cpus.last, cpus.last);
	SW_EXPECT_STR(p.lcores, wanted);
	snprintf(wanted, sizeof(wanted), "%u", cpus.last);
	SW_EXPECT_STR(p.cpus, wanted);
	SW_EXPECT_EQ(p.cpu_count, 1u);
	SW_EXPECT_TRUE(p.shared);
	SW_EXPECT_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
	SW_EXPECT_TRUE(CPU_EQUAL(&now, &one)); /* floating pins nobody */
	cpus_give_back(&cpus);
}

/* Even CPUs on node 0, odd ones on node 1. */
static int parity(unsigned cpu)
{
	return (int)(cpu % 2);
}

static int no_node(unsigned cpu)
{
	(void)cpu;
	return -1;
}

SW_TEST(place, roles_far_from_the_port_are_told_with_the_better_cpus)
{
	struct config c = given(0, 2, 2, 3);
	char text[256];
	c.lane_cpus[1] = 6;
	SW_ASSERT_TRUE(place_is_far(&c, 1, parity, text, sizeof(text)));
	if (strstr(text,
		    "lane 1 on CPU 6 (node 0), keeper on CPU 2 (node 0); the port is on node 1") !=
		text)
		SW_FAIL("%s", text);
	SW_EXPECT_FALSE(place_is_far(&c, -1, parity, text, sizeof(text)));
	SW_EXPECT_FALSE(place_is_far(&c, 1, no_node, text, sizeof(text)));
	c.keeper_cpu = 5;
	c.lane_cpus[1] = 1;
	SW_EXPECT_FALSE(place_is_far(&c, 1, parity, text, sizeof(text)));
}

SW_TEST(place, floating_roles_stay_on_the_port_s_node)
{
	struct cpus cpus = cpus_take();
	cpu_set_t now;
	if (cpus.first % 2 != cpus.last % 2) {
		SW_EXPECT_TRUE(place_stay_near((int)(cpus.last % 2), parity));
		SW_ASSERT_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
		SW_EXPECT_TRUE(CPU_ISSET(cpus.last, &now));
		SW_EXPECT_FALSE(CPU_ISSET(cpus.first, &now));
		cpus_give_back(&cpus);
	}
	/* A node of which this process may use no CPU, or none at all: everything stays. */
	SW_EXPECT_FALSE(place_stay_near(7, parity));
	SW_EXPECT_FALSE(place_stay_near(-1, no_node));
	SW_ASSERT_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
	SW_EXPECT_TRUE(CPU_EQUAL(&now, &cpus.before));
}
