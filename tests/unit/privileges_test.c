/* Giving up capabilities: by threads that were there before, for good, and told as it is. As root,
 * or as the root of a user namespace; each case in a process of its own. */
#include "sw_test.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privileges.h"

enum { THREADS = 3, NO_CAPABILITIES = 77, TEXT_MAX = 64 };

#define BIT(capability) (UINT64_C(1) << (capability))

static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static bool take_back(uint64_t capabilities)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)capabilities, .permitted = (uint32_t)capabilities},
		{.effective = (uint32_t)(capabilities >> 32),
			.permitted = (uint32_t)(capabilities >> 32)}};
	return syscall(SYS_capset, &header, data) == 0;
}

/* What a child found, one letter each: upper case is as it should be. */
static char found[TEXT_MAX];

static void find(char letter, bool right)
{
	size_t len = strlen(found);
	found[len] = right ? letter : (char)(letter + 'a' - 'A');
}

struct thread {
	pthread_t id;
	bool deaf; /* hears no signal */
	int out[2], in[2];
	uint64_t seen;
};

static void *wait_and_look(void *arg)
{
	struct thread *t = arg;
	sigset_t all;
	char byte = 0;
	(void)sigfillset(&all);
	if (t->deaf)
		(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)!write(t->out[1], &byte, 1); /* it is there */
	while (read(t->in[0], &byte, 1) < 0) {
	}
	t->seen = effective();
	return NULL;
}

static void start(struct thread *t)
{
	char byte;
	if (pipe(t->out) != 0 || pipe(t->in) != 0 ||
		pthread_create(&t->id, NULL, wait_and_look, t) != 0)
		_exit(1);
	(void)!read(t->out[0], &byte, 1);
}

static void finish(struct thread *t)
{
	char byte = 0;
	(void)!write(t->in[1], &byte, 1);
	(void)pthread_join(t->id, NULL);
}

static void threads_give_up_theirs(void)
{
	static struct thread threads[THREADS];
	struct privileges p;
	const uint64_t keep = BIT(CAP_NET_ADMIN);
	for (int i = 0; i < THREADS; i++)
		start(&threads[i]);
	find('A', privileges_drop(keep, &p) == 0);
	find('B', p.held == keep && p.fixed && p.threads == THREADS + 1);
	find('C', (p.before & (keep | BIT(CAP_SYS_ADMIN))) == (keep | BIT(CAP_SYS_ADMIN)));
	for (int i = 0; i < THREADS; i++) {
		finish(&threads[i]);
		find('D', threads[i].seen == keep);
	}
	find('E', effective() == keep);
}

static void what_is_gone_stays_gone(void)
{
	struct privileges p;
	find('A', take_back(BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW)));
	find('B', privileges_drop(0, &p) == 0 && p.held == 0);
	find('C', !take_back(BIT(CAP_NET_RAW)));
	find('D', prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	find('E', prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0);
	find('F', prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) != 0);
}

static void what_it_has_not_is_not_gained(void)
{
	struct privileges p;
	find('A', take_back(BIT(CAP_NET_RAW)));
	find('B', privileges_drop(BIT(CAP_NET_RAW) | BIT(CAP_SYS_ADMIN), &p) == 0);
	find('C', p.held == BIT(CAP_NET_RAW) && p.before == BIT(CAP_NET_RAW));
}

static void the_ambient_are_cleared(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	uint32_t bits = (uint32_t)(BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW));
	struct __user_cap_data_struct data[2] = {
		{.effective = bits, .permitted = bits, .inheritable = bits}};
	struct privileges p;
	find('A', syscall(SYS_capset, &header, data) == 0);
	find('B', prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0);
	find('C', prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0);
	find('D', privileges_drop(BIT(CAP_NET_ADMIN), &p) == 0);
	find('E', prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 0);
	find('F', prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0) == 0);
	find('G', p.held == BIT(CAP_NET_ADMIN)); /* inheritable or ambient ones would count */
}

static void a_deaf_thread_is_told(void)
{
	static struct thread deaf = {.deaf = true}, other;
	struct privileges p;
	start(&deaf);
	start(&other);
	find('A', privileges_drop(0, &p) == -ETIMEDOUT);
	find('B', (p.held & BIT(CAP_SYS_ADMIN)) != 0 && !p.fixed);
	find('C', effective() == 0);
	finish(&other);
	find('D', other.seen == 0);
	finish(&deaf); /* the signals that wait for it are lost with it */
}

struct row {
	const char *name;
	void (*child)(void);
	const char *right;
};

static const struct row rows[] = {
	{"threads_give_up_theirs", threads_give_up_theirs, "ABCDDDE"},
	{"what_is_gone_stays_gone", what_is_gone_stays_gone, "ABCDEF"},
	{"what_it_has_not_is_not_gained", what_it_has_not_is_not_gained, "ABC"},
	{"the_ambient_are_cleared", the_ambient_are_cleared, "ABCDEFG"},
	{"a_deaf_thread_is_told", a_deaf_thread_is_told, "ABCD"},
};

static void in_child(const struct row *row, int out)
{
	/* Root of a namespace of its own where it is not root: one thread, as that needs. */
	if ((effective() & BIT(CAP_SYS_ADMIN)) == 0 && unshare(CLONE_NEWUSER) != 0)
		_exit(NO_CAPABILITIES);
	row->child();
	(void)!write(out, found, sizeof(found));
	_exit(0);
}

SW_TEST_TABLE(privileges, once_given_up, const struct row *row, rows)
{
	char text[TEXT_MAX] = "";
	int pipes[2], status;
	SW_ASSERT_EQ(pipe(pipes), 0);
	pid_t child = fork();
	SW_ASSERT_TRUE(child >= 0);
	if (child == 0)
		in_child(row, pipes[1]);
	(void)close(pipes[1]);
	ssize_t got = read(pipes[0], text, sizeof(text));
	(void)close(pipes[0]);
	SW_ASSERT_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_CAPABILITIES) {
		sw_test_note("SKIP: neither root nor user namespaces here");
		return;
	}
	SW_EXPECT_EQ(got, (ssize_t)sizeof(text));
	SW_EXPECT_STR(text, row->right);
}

SW_TEST(privileges, names_are_the_kernel_s)
{
	char text[64], shortened[20];
	privileges_text(BIT(CAP_NET_ADMIN) | BIT(CAP_BPF), text, sizeof(text));
	SW_EXPECT_STR(text, "CAP_NET_ADMIN CAP_BPF");
	privileges_text(0, text, sizeof(text));
	SW_EXPECT_STR(text, "none");
	privileges_text(UINT64_MAX, shortened, sizeof(shortened));
	SW_EXPECT_STR(shortened, "CAP_CHOWN CAP_DAC_O");
	privileges_text(BIT(62), text, sizeof(text));
	SW_EXPECT_STR(text, "CAP_62");
	json_t *list = privileges_json(BIT(CAP_SYS_ADMIN) | 1);
	SW_EXPECT_EQ(json_array_size(list), 2);
	SW_EXPECT_STR(json_string_value(json_array_get(list, 1)), "CAP_SYS_ADMIN");
	json_decref(list);
}
