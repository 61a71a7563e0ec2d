#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 200, ROUND_MS = 10, CLEAN_ROUNDS = 2, BITS = 64, NAME_MAX_LEN = 32 };

/* linux/capability.h, by number. */
static const char *const names[] = {"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID",
	"KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE",
	"NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
	"SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE",
	"AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM",
	"BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"};

_Static_assert(
	sizeof(names) / sizeof(names[0]) == CAP_CHECKPOINT_RESTORE + 1, "each has its own name");

static volatile uint64_t wanted; /* set before any signal is sent */

static uint64_t permitted(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* Of the calling thread, interrupted wherever it is: system calls alone. */
static void give_up(int number)
{
	int saved = errno;
	uint64_t left = permitted() & wanted;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)left, .permitted = (uint32_t)left},
		{.effective = (uint32_t)(left >> 32), .permitted = (uint32_t)(left >> 32)}};
	(void)number;
	/* Takes CAP_SETPCAP, which root has and the service has not; no_new_privs is enough. */
	for (int c = 0; c < BITS; c++)
		if ((wanted >> c & 1) == 0)
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	/* What comes of these is read from the kernel below. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)syscall(SYS_capset, &header, data);
	errno = saved;
}

struct credentials {
	uint64_t held; /* permitted, inheritable or ambient */
	bool fixed;
};

/* -errno: it has ended meanwhile. */
static int read_credentials(const char *thread, struct credentials *c)
{
	char path[64], line[256];
	uint64_t value;
	int flag;
	(void)snprintf(path, sizeof(path), "/proc/self/task/%.16s/status", thread);
	FILE *f = fopen(path, "re");
	*c = (struct credentials){.held = 0};
	if (f == NULL)
		return -errno;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "CapInh: %" SCNx64, &value) == 1 ||
			sscanf(line, "CapPrm: %" SCNx64, &value) == 1 ||
			sscanf(line, "CapAmb: %" SCNx64, &value) == 1)
			c->held |= value;
		else if (sscanf(line, "NoNewPrivs: %d", &flag) == 1)
			c->fixed = flag == 1;
	}
	(void)fclose(f);
	return 0;
}

/* Interrupts each thread that has not given up what it should; their number or -errno. */
static int round_of_all(struct privileges *p)
{
	DIR *folder = opendir("/proc/self/task");
	int late = 0;
	if (folder == NULL)
		return -errno;
	p->held = 0;
	p->threads = 0;
	p->fixed = true;
	for (const struct dirent *d; (d = readdir(folder)) != NULL;) {
		struct credentials c;
		if (d->d_name[0] == '.' || read_credentials(d->d_name, &c) < 0)
			continue;
		p->threads++;
		p->held |= c.held;
		p->fixed = p->fixed && c.fixed;
		if ((c.held & ~wanted) == 0 && c.fixed)
			continue;
		late++;
		/* Fails when it has just ended. */
		(void)syscall(SYS_tgkill, getpid(), atoi(d->d_name), SIGRTMAX - 1);
	}
	(void)closedir(folder);
	return late;
}

int privileges_drop(uint64_t keep, struct privileges *p)
{
	struct sigaction action = {.sa_handler = give_up, .sa_flags = SA_RESTART};
	const struct timespec wait = {.tv_nsec = ROUND_MS * 1000000L};
	int clean = 0, late = 0;
	*p = (struct privileges){.before = permitted()};
	wanted = keep;
	(void)sigfillset(&action.sa_mask);
	if (sigaction(SIGRTMAX - 1, &action, NULL) != 0)
		return -errno;
	/* Twice: a thread may have been made by one that still had everything. */
	for (int i = 0; i < ROUNDS_MAX && clean < CLEAN_ROUNDS && late >= 0; i++) {
		late = round_of_all(p);
		clean = late == 0 ? clean + 1 : 0;
		if (late > 0)
			(void)nanosleep(&wait, NULL); /* interrupted: the next round is early */
	}
	/* One that comes late is not to end the process. */
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGRTMAX - 1, &action, NULL);
	if (late < 0) { /* no /proc: nobody was asked */
		p->held = p->before;
		return late;
	}
	return clean == CLEAN_ROUNDS ? 0 : -ETIMEDOUT;
}

static void name_of(unsigned capability, char name[NAME_MAX_LEN])
{
	if (capability < sizeof(names) / sizeof(names[0]))
		(void)snprintf(name, NAME_MAX_LEN, "CAP_%s", names[capability]);
	else
		(void)snprintf(name, NAME_MAX_LEN, "CAP_%u", capability);
}

void privileges_text(uint64_t capabilities, char *text, size_t text_len)
{
	char name[NAME_MAX_LEN];
	size_t len = 0;
	(void)snprintf(text, text_len, "none");
	for (unsigned c = 0; c < BITS; c++) {
		if ((capabilities >> c & 1) == 0)
			continue;
		name_of(c, name);
		if (len < text_len)
			len += (size_t)snprintf(
				text + len, text_len - len, "%s%s", len > 0 ? " " : "", name);
	}
}

json_t *privileges_json(uint64_t capabilities)
{
	char name[NAME_MAX_LEN];
	json_t *list = json_array();
	for (unsigned c = 0; c < BITS; c++) {
		if ((capabilities >> c & 1) == 0)
			continue;
		name_of(c, name);
		json_array_append_new(list, json_string(name));
	}
	return list;
}
