#include "place.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < t->left) {
		t->at += n;
		t->left -= (size_t)n;
	}
}

static bool share_a_cpu(const struct config *c)
{
	if (c->keeper_cpu == c->control_cpu)
		return true;
	for (unsigned i = 0; i < c->lane_count; i++) {
		if (c->lane_cpus[i] == c->keeper_cpu || c->lane_cpus[i] == c->control_cpu)
			return true;
		for (unsigned j = 0; j < i; j++)
			if (c->lane_cpus[i] == c->lane_cpus[j])
				return true;
	}
	return false;
}

static int pin_to(
	unsigned cpu, const cpu_set_t *allowed, const char *role, char *error, size_t error_len)
{
	if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, allowed))
		return 0;
	(void)snprintf(error, error_len,
		"cores: CPU %u for the %s is not among those that this process may use; "
		"choose others, or leave `cores` out to let them be chosen",
		cpu, role);
	return -EINVAL;
}

static int place_given(const struct config *c, const cpu_set_t *allowed, struct place *p,
	char *error, size_t error_len)
{
	struct text t = {p->lcores, sizeof(p->lcores)};
	int rc = pin_to(c->control_cpu, allowed, "control", error, error_len);
	if (rc == 0)
		rc = pin_to(c->keeper_cpu, allowed, "keeper", error, error_len);
	append(&t, "%d@%u,%d@%u", LCORE_CONTROL, c->control_cpu, LCORE_KEEPER, c->keeper_cpu);
	for (unsigned i = 0; i < c->lane_count && rc == 0; i++) {
		rc = pin_to(c->lane_cpus[i], allowed, "lane", error, error_len);
		append(&t, ",%u@%u", LCORE_LANE + i, c->lane_cpus[i]);
	}
	p->shared = share_a_cpu(c);
	if (rc < 0)
		return rc;
	cpu_set_t control;
	CPU_ZERO(&control);
	CPU_SET(c->control_cpu, &control);
	return sched_setaffinity(0, sizeof(control), &control) == 0 ? 0 : -errno;
}

/* "0-3,8": ranges, so that it stays short on any machine. */
static void write_cpus(const cpu_set_t *allowed, struct text *t)
{
	const char *comma = "";
	for (unsigned first = 0; first < CPU_SETSIZE; first++) {
		unsigned last = first;
		if (!CPU_ISSET(first, allowed))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, allowed))
			last++;
		append(t, first == last ? "%s%u" : "%s%u-%u", comma, first, last);
		comma = ",";
		first = last;
	}
}

/* No CPUs given: every role may run on any of the process's CPUs, and the kernel balances. */
static void place_floating(const struct config *c, const cpu_set_t *allowed, struct place *p)
{
	struct text s = {p->cpus, sizeof(p->cpus)}, t = {p->lcores, sizeof(p->lcores)};
	write_cpus(allowed, &s);
	for (unsigned i = 0; i < LCORE_LANE + (unsigned)c->lane_count; i++)
		append(&t, "%s%u@(%s)", i == 0 ? "" : ",", i, p->cpus);
	p->shared = true;
}

int place_roles(const struct config *config, struct place *place, char *error, size_t error_len)
{
	cpu_set_t allowed;
	memset(place, 0, sizeof(*place));
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0) {
		(void)snprintf(
			error, error_len, "cannot read this process's CPUs: %s", strerror(errno));
		return -errno;
	}
	place->cpu_count = (unsigned)CPU_COUNT(&allowed);
	if (config->cpus_given)
		return place_given(config, &allowed, place, error, error_len);
	place_floating(config, &allowed, place);
	return 0;
}

unsigned place_cpu(const struct config *config, unsigned lcore)
{
	if (lcore == LCORE_CONTROL)
		return config->control_cpu;
	return lcore == LCORE_KEEPER ? config->keeper_cpu : config->lane_cpus[lcore - LCORE_LANE];
}

/* Those of the process's CPUs that lie on the node. */
static bool near_cpus(int port_node, int (*node_of)(unsigned cpu), cpu_set_t *near)
{
	cpu_set_t allowed;
	CPU_ZERO(near);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return false;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && node_of(cpu) == port_node)
			CPU_SET(cpu, near);
	return CPU_COUNT(near) > 0;
}

bool place_is_far(const struct config *config, int port_node, int (*node_of)(unsigned cpu),
	char *text, size_t text_len)
{
	struct text t = {text, text_len};
	const char *comma = "";
	cpu_set_t near;
	text[0] = '\0';
	if (port_node < 0 || !config->cpus_given)
		return false;
	for (unsigned i = 0; i < config->lane_count; i++) {
		int node = node_of(config->lane_cpus[i]);
		if (node < 0 || node == port_node)
			continue;
		append(&t, "%slane %u on CPU %u (node %d)", comma, i, config->lane_cpus[i], node);
		comma = ", ";
	}
	int node = node_of(config->keeper_cpu);
	if (node >= 0 && node != port_node) {
		append(&t, "%skeeper on CPU %u (node %d)", comma, config->keeper_cpu, node);
		comma = ", ";
	}
	if (comma[0] == '\0')
		return false;
	append(&t, "; the port is on node %d", port_node);
	if (near_cpus(port_node, node_of, &near)) {
		append(&t, ": use CPUs ");
		write_cpus(&near, &t);
	}
	return true;
}

bool place_stay_near(int port_node, int (*node_of)(unsigned cpu))
{
	cpu_set_t near;
	return port_node >= 0 && near_cpus(port_node, node_of, &near) &&
	       sched_setaffinity(0, sizeof(near), &near) == 0;
}
