#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_file.h"
#include "config_lines.h"
#include "config_mistakes.h"
#include "config_relations.h"
#include "config_schema.h"
#include "config_take.h"

static int load(const char *text, size_t len, struct config_lines *lines, struct config *config,
	struct config_mistakes *mistakes)
{
	struct config_file *file;
	int rc = config_lines_read(text, len, lines, mistakes);
	if (rc < 0 || mistakes->count > 0)
		return rc;
	rc = config_file_load(text, len, lines, &file, mistakes);
	if (rc < 0)
		return rc;
	config_take(file, lines, config);
	config_check_relations(file, config, lines, mistakes);
	rc = config_take_origins(file, lines, config, mistakes);
	config_file_free(file);
	return rc;
}

int config_load_text(
	const char *name, const char *text, size_t len, struct config *config, char *error)
{
	struct config_lines lines = {.root = 1};
	struct config_mistakes *mistakes = calloc(1, sizeof(*mistakes));

	error[0] = '\0';
	*config = (struct config){.origins = NULL};
	if (mistakes == NULL) {
		(void)snprintf(error, CONFIG_ERROR_MAX, "%s: out of memory; free some", name);
		return -ENOMEM;
	}
	mistakes->file = name;
	int rc = 0;
	if (len > CONFIG_BYTES_MAX)
		mistakes_add(mistakes, 0, "YAML",
			"is larger than 16 MiB; add origins with `swimlanectl origin add` instead");
	else
		rc = load(text, len, &lines, config, mistakes);
	if (rc == -ENOMEM)
		mistakes_add(mistakes, 0, "YAML", "out of memory; free some");
	else if (mistakes->count > 0)
		rc = -EINVAL;
	mistakes_print(mistakes, error, CONFIG_ERROR_MAX);
	if (rc < 0)
		config_free(config);
	config_lines_free(&lines);
	free(mistakes);
	return rc;
}

/* Reads at most one byte more than is allowed, so that pipes work and devices end. */
static int read_all(int fd, char **text, size_t *len)
{
	size_t cap = 64 << 10;
	*text = malloc(cap);
	*len = 0;
	while (*text != NULL) {
		ssize_t n = read(fd, *text + *len, cap - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		*len += (size_t)n;
		if (n == 0 || *len > CONFIG_BYTES_MAX)
			return 0;
		if (*len == cap) {
			cap *= 2;
			char *grown = realloc(*text, cap);
			if (grown == NULL)
				return -ENOMEM;
			*text = grown;
		}
	}
	return -ENOMEM;
}

static int open_file(const char *path, char *error)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = -errno;
		(void)snprintf(error, CONFIG_ERROR_MAX,
			"%s: cannot be read: %s; check the path and its permissions", path,
			strerror(-rc));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (S_ISDIR(st.st_mode)) {
		(void)snprintf(error, CONFIG_ERROR_MAX,
			"%s: is a directory; give the path of a file in it", path);
		close(fd);
		return -EISDIR;
	}
	return fd;
}

int config_load(const char *path, struct config *config, char *error)
{
	char *text = NULL;
	size_t len = 0;

	error[0] = '\0';
	*config = (struct config){.origins = NULL};
	int fd = open_file(path, error);
	if (fd < 0)
		return fd;
	int rc = read_all(fd, &text, &len);
	close(fd);
	if (rc < 0)
		(void)snprintf(error, CONFIG_ERROR_MAX, "%s: cannot be read: %s; check the file",
			path, strerror(-rc));
	else
		rc = config_load_text(path, text, len, config, error);
	if (rc < 0) {
		free(text);
		return rc;
	}
	config->text = text;
	config->text_len = len;
	config->path = strdup(path);
	if (config->path == NULL) {
		config_free(config);
		(void)snprintf(error, CONFIG_ERROR_MAX, "%s: out of memory; free some", path);
		return -ENOMEM;
	}
	return 0;
}

void config_free(struct config *config)
{
	free(config->origins);
	free(config->text);
	free(config->path);
	config->origins = NULL;
	config->text = NULL;
	config->path = NULL;
	config->origin_count = 0;
}
