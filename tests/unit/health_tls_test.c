#include "sw_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "health/health.h"

enum { PATH_LEN = 64, WAIT_S = 10 };

/* openssl's own server, with two certificates that are signed by themselves: one for origin.test,
 * shown to who asks for that name in its greeting (SNI), and one for fallback.test, for all others.
 */
struct server {
	char folder[PATH_LEN];
	char certificate[PATH_LEN + 16];
	char fallback[PATH_LEN + 16];
	char both[PATH_LEN + 16]; /* to be trusted */
	char key[PATH_LEN + 16];
	pid_t pid;
	int output;
	uint16_t port;
};

/* Runs a program whose output can be read; it dies with us. */
static pid_t spawn(const char *const arguments[], int *output)
{
	int ends[2];
	if (pipe(ends) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	close(ends[1]);
	*output = ends[0];
	return pid;
}

static bool run(const char *const arguments[])
{
	int output, status = -1;
	pid_t pid = spawn(arguments, &output);
	waitpid(pid, &status, 0);
	close(output);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool make_certificates(const struct server *s)
{
	char cat[4 * PATH_LEN + 64];
	const char *const key[] = {"openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-out", s->key, NULL};
	const char *const named[] = {"openssl", "req", "-x509", "-new", "-key", s->key, "-days",
		"2", "-subj", "/CN=origin.test", "-addext", "subjectAltName=DNS:origin.test",
		"-out", s->certificate, NULL};
	const char *const fallback[] = {"openssl", "req", "-x509", "-new", "-key", s->key, "-days",
		"2", "-subj", "/CN=fallback.test", "-addext", "subjectAltName=DNS:fallback.test",
		"-out", s->fallback, NULL};
	const char *const both[] = {"sh", "-c", cat, NULL};
	snprintf(cat, sizeof(cat), "cat %s %s > %s", s->certificate, s->fallback, s->both);
	return run(key) && run(named) && run(fallback) && run(both);
}

/* It says "ACCEPT 127.0.0.1:port" once it listens. */
static bool read_port(struct server *server)
{
	FILE *lines = fdopen(dup(server->output), "r");
	char line[256];
	bool found = false;
	alarm(WAIT_S);
	while (!found && fgets(line, sizeof(line), lines)) {
		const char *colon = strrchr(line, ':');
		found = strncmp(line, "ACCEPT ", 7) == 0 && colon;
		if (found)
			server->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	}
	alarm(0);
	fclose(lines);
	return found;
}

static bool server_start(struct server *server)
{
	*server = (struct server){.pid = -1, .output = -1};
	strcpy(server->folder, "/tmp/health_tls_XXXXXX");
	if (!mkdtemp(server->folder))
		return false;
	snprintf(server->certificate, sizeof(server->certificate), "%s/cert.pem", server->folder);
	snprintf(server->fallback, sizeof(server->fallback), "%s/fallback.pem", server->folder);
	snprintf(server->both, sizeof(server->both), "%s/both.pem", server->folder);
	snprintf(server->key, sizeof(server->key), "%s/key.pem", server->folder);
	const char *const arguments[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
		server->fallback, "-key", server->key, "-cert2", server->certificate, "-key2",
		server->key, "-servername", "origin.test", "-www", NULL};
	if (!make_certificates(server))
		return false;
	server->pid = spawn(arguments, &server->output);
	return server->pid > 0 && read_port(server);
}

static void server_stop(struct server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	if (server->output >= 0)
		close(server->output);
	unlink(server->certificate);
	unlink(server->fallback);
	unlink(server->both);
	unlink(server->key);
	rmdir(server->folder);
}

struct verdict_seen {
	struct event_base *base;
	struct health_verdict verdict;
	uint32_t count;
};

static void on_verdict(
	void *context, const char *name, const struct health_verdict *verdict, bool changed)
{
	struct verdict_seen *seen = context;
	(void)name;
	(void)changed;
	seen->verdict = *verdict;
	seen->count++;
	event_base_loopbreak(seen->base);
}

/* The first verdict about an origin. */
static struct health_verdict judge(const struct health_origin *origin, const char *ca_file)
{
	struct verdict_seen seen = {.base = event_base_new()};
	struct health_checker *checker = NULL;
	const struct health_config config = {
		.on_verdict = on_verdict, .context = &seen, .ca_file = ca_file};
	const struct timeval end = {WAIT_S, 0};
	SW_EXPECT_EQ(health_checker_create(seen.base, &config, &checker), 0);
	SW_EXPECT_EQ(health_checker_put(checker, origin, NULL), 0);
	event_base_loopexit(seen.base, &end);
	event_base_dispatch(seen.base);
	SW_EXPECT_EQ(seen.count, 1);
	health_checker_destroy(checker);
	event_base_free(seen.base);
	return seen.verdict;
}

struct tls_row {
	const char *name;
	const char *host;
	bool verify_tls;
	bool trusted; /* the certificates are in ca_file */
	const char *expect_body;
	enum health_state state;
	const char *error;
};

static const struct tls_row tls_rows[] = {
	{"not_verified_any_certificate_will_do", "", false, false, "", HEALTH_UP, ""},
	{"not_verified_the_rest_is_still_judged", "", false, false, "needle", HEALTH_DOWN,
		"body does not contain \"needle\""},
	{"verified_self_signed_is_not_trusted", "origin.test", true, false, "", HEALTH_DOWN,
		"certificate: self-signed certificate"},
	/* With another certificate than the one for this name it would be down. */
	{"verified_trusted_and_asked_for_by_name", "origin.test", true, true, "s_server", HEALTH_UP,
		""},
	{"verified_trusted_but_another_name", "other.test", true, true, "", HEALTH_DOWN,
		"certificate: no alternative certificate subject name matches target host name "
		"'other.test'"},
	{"verified_trusted_but_no_such_address", "", true, true, "", HEALTH_DOWN,
		"certificate: no alternative certificate subject name matches target host name "
		"'127.0.0.1'"},
};

SW_TEST_TABLE(https, certificate_is_judged, const struct tls_row *row, tls_rows)
{
	struct server server;
	bool started = server_start(&server);
	SW_EXPECT_TRUE(started);
	if (started) {
		struct health_origin origin = {.name = "web",
			.type = HEALTH_HTTPS,
			.address = "127.0.0.1",
			.port = server.port,
			.path = "/",
			.interval_ms = 5000,
			.timeout_ms = 5000,
			.rise = 2,
			.fall = 3,
			.verify_tls = row->verify_tls};
		strcpy(origin.host, row->host);
		strcpy(origin.expect_body, row->expect_body);
		struct health_verdict verdict = judge(&origin, row->trusted ? server.both : NULL);
		SW_EXPECT_STR(health_state_name(verdict.state), health_state_name(row->state));
		SW_EXPECT_STR(verdict.error, row->error);
	}
	server_stop(&server);
}

/* A listener that answers nothing, or in the clear. */
static struct health_verdict judge_listener(const char *answer)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	SW_EXPECT_EQ(bind(fd, (struct sockaddr *)&addr, len), 0);
	SW_EXPECT_EQ(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	SW_EXPECT_EQ(listen(fd, 8), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int client = accept(fd, NULL, NULL);
		if (client >= 0 && write(client, answer, strlen(answer)) >= 0)
			pause();
		_exit(0);
	}
	struct health_origin origin = {.name = "web",
		.type = HEALTH_HTTPS,
		.address = "127.0.0.1",
		.port = ntohs(addr.sin_port),
		.path = "/",
		.interval_ms = 5000,
		.timeout_ms = 1200,
		.rise = 2,
		.fall = 3};
	struct health_verdict verdict = judge(&origin, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	return verdict;
}

SW_TEST(https, server_in_the_clear_is_down)
{
	struct health_verdict verdict = judge_listener("HTTP/1.1 200 OK\r\n\r\n");
	SW_EXPECT_EQ(verdict.state, HEALTH_DOWN);
	SW_EXPECT_STR(verdict.error, "tls: wrong version number");
}

SW_TEST(https, silent_handshake_ends_at_the_timeout)
{
	struct health_verdict verdict = judge_listener("");
	SW_EXPECT_EQ(verdict.state, HEALTH_DOWN);
	SW_EXPECT_STR(verdict.error, "tls: no answer within 1,200 ms");
}

SW_TEST(https, unreadable_ca_file_is_refused_at_the_start)
{
	struct event_base *base = event_base_new();
	struct health_checker *checker = NULL;
	const struct health_config config = {
		.on_verdict = on_verdict, .ca_file = "/nowhere/ca.pem"};
	SW_EXPECT_EQ(health_checker_create(base, &config, &checker), -ENOENT);
	SW_EXPECT_TRUE(checker == NULL);
	event_base_free(base);
}
