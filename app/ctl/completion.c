#include "completion.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "ctl.h"
#include "help.h"

enum { WORD_MAX = 32 };

static const char global_options[] = "--socket --json --timeout --help";

struct writer {
	FILE *out;
	const char *group; /* print second words of this first word; NULL: first words */
};

static size_t first_len(const char *name)
{
	return strcspn(name, " ");
}

/* The options of a command: words that begin a line of its help with "  --" or "  -x, --". */
static void print_options(FILE *out, const struct ctl_command *command)
{
	const char *at = command->help;
	while (at != NULL && *at != '\0') {
		size_t indent = strspn(at, " "), line = strcspn(at, "\n");
		const char *word = at + indent;
		if (indent == 2 && word[0] == '-' && word[1] != '-' && word[2] == ',')
			(void)fprintf(out, " %.2s", word);
		if (indent == 2 && word[0] == '-' && word[1] != '-')
			word += strcspn(word, " \n") + 1;
		if (indent == 2 && word[0] == '-' && word[1] == '-')
			(void)fprintf(out, " %.*s", (int)strcspn(word, " ,\n"), word);
		at += line;
		at += *at == '\n';
	}
}

/* What stands for itself among a command's arguments: "bash|zsh"; not "KEY" or "[PREFIX]". */
static void print_choices(FILE *out, const struct ctl_command *command)
{
	const char *a = command->arguments;
	if (islower((unsigned char)a[0]) && strchr(a, '|') != NULL)
		for (; *a != '\0'; a++)
			(void)fputc(*a == '|' ? ' ' : *a, out);
	if (strcmp(command->name, "log") == 0)
		(void)fputs("error warning info debug", out);
}

/* First words, or second words of one of them, each once: the table has them together. */
static void print_name(const struct ctl_command *command, void *context)
{
	struct writer *w = context;
	size_t len = first_len(command->name);
	if (command->hidden)
		return;
	if (w->group != NULL) {
		if (strncmp(command->name, w->group, len) == 0 && w->group[len] == '\0' &&
			command->name[len] == ' ')
			(void)fprintf(w->out, " %s", command->name + len + 1);
		return;
	}
	if (!help_is_first(command))
		return;
	(void)fprintf(w->out, " %.*s", (int)len, command->name);
}

static void print_names(FILE *out, const char *group)
{
	struct writer w = {.out = out, .group = group};
	help_each(print_name, &w);
}

static void bash_case(const struct ctl_command *command, void *context)
{
	FILE *out = context;
	bool server = strstr(command->arguments, "SERVER") != NULL;
	if (command->hidden)
		return;
	(void)fprintf(out, "    \"%s \"*) options=\"", command->name);
	print_options(out, command);
	(void)fputs("\" arguments=\"", out);
	print_choices(out, command);
	if (strchr(command->name, ' ') == NULL)
		print_names(out, command->name); /* "keys", and "keys reload" */
	(void)fprintf(out, "\"%s ;;\n", server ? " servers=1" : "");
}

/* "map " and what may follow it: only where it is no command by itself. */
static void bash_group(const struct ctl_command *command, void *context)
{
	struct writer *w = context;
	char first[WORD_MAX];
	size_t len = first_len(command->name);
	int words;
	if (command->hidden || command->name[len] == '\0' || len >= sizeof(first) ||
		!help_is_first(command))
		return;
	memcpy(first, command->name, len);
	first[len] = '\0';
	if (help_find(first, NULL, &words) != NULL)
		return;
	(void)fprintf(w->out, "    \"%s \") arguments=\"", first);
	print_names(w->out, first);
	(void)fputs("\" ;;\n", w->out);
}

void completion_bash(FILE *out)
{
	struct writer groups = {.out = out};
	(void)fputs(
		"# bash completion for swimlanectl: `swimlanectl completion bash`\n"
		"_swimlanectl()\n"
		"{\n"
		"    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"    local words= options= arguments= servers= socket= i\n"
		"    COMPREPLY=()\n"
		"    case $before in\n"
		"    -s | --socket) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
		"    --timeout) return ;;\n"
		"    esac\n"
		"    for ((i = 1; i < COMP_CWORD; i++)); do\n"
		"        case ${COMP_WORDS[i]} in\n"
		"        -s | --socket) socket=${COMP_WORDS[i+1]}; ((i++)) ;;\n"
		"        --timeout) ((i++)) ;;\n"
		"        -*) ;;\n"
		"        *) words+=\"${COMP_WORDS[i]} \" ;;\n"
		"        esac\n"
		"    done\n"
		"    case $words in\n"
		"    \"\") options=\"--version\" arguments=\"",
		out);
	print_names(out, NULL);
	(void)fputs("\" ;;\n", out);
	help_each(bash_group, &groups);
	help_each(bash_case, out);
	(void)fprintf(out,
		"    *) return ;;\n"
		"    esac\n"
		"    if [[ $servers ]]; then\n"
		"        arguments=$(swimlanectl ${socket:+--socket \"$socket\"} --timeout 1 "
		"members "
		"2>/dev/null |\n"
		"            awk 'NR > 1 { print $1 }')\n"
		"    fi\n"
		"    if [[ $current == -* ]]; then\n"
		"        COMPREPLY=($(compgen -W \"%s $options\" -- \"$current\"))\n"
		"    else\n"
		"        COMPREPLY=($(compgen -W \"$arguments\" -- \"$current\"))\n"
		"    fi\n"
		"}\n"
		"complete -F _swimlanectl swimlanectl\n",
		global_options);
}

/* Inside single quotes. */
static void print_quoted(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\'')
			(void)fputs("'\\''", out);
		else
			(void)fputc(*text, out);
}

/* 'put:Write a value', of one group or of commands of one word; ":" would end the word. */
static void zsh_describe(const struct ctl_command *command, void *context)
{
	struct writer *w = context;
	size_t len = first_len(command->name);
	bool second = command->name[len] == ' ';
	if (command->hidden)
		return;
	if (w->group == NULL) {
		if (!help_is_first(command))
			return;
		(void)fprintf(w->out, "      '%.*s", (int)len, command->name);
		if (!second) {
			(void)fputc(':', w->out);
			print_quoted(w->out, command->summary);
		}
		(void)fputs("'\n", w->out);
	} else if (second && strncmp(command->name, w->group, len) == 0 && w->group[len] == '\0') {
		(void)fprintf(w->out, "'%s:", command->name + len + 1);
		print_quoted(w->out, command->summary);
		(void)fputs("' ", w->out);
	}
}

static void zsh_group(const struct ctl_command *command, void *context)
{
	struct writer *w = context;
	char first[WORD_MAX];
	size_t len = first_len(command->name);
	int words;
	if (command->hidden || command->name[len] == '\0' || len >= sizeof(first) ||
		!help_is_first(command))
		return;
	memcpy(first, command->name, len);
	first[len] = '\0';
	if (help_find(first, NULL, &words) != NULL)
		return;
	struct writer seconds = {.out = w->out, .group = first};
	(void)fprintf(w->out, "    (\"%s \") arguments=(", first);
	help_each(zsh_describe, &seconds);
	(void)fputs(") ;;\n", w->out);
}

static void zsh_case(const struct ctl_command *command, void *context)
{
	FILE *out = context;
	if (command->hidden)
		return;
	(void)fprintf(out, "    (\"%s \"*) options+=(", command->name);
	print_options(out, command);
	(void)fputs(") arguments=(", out);
	print_choices(out, command);
	if (strchr(command->name, ' ') == NULL)
		print_names(out, command->name);
	(void)fprintf(
		out, ")%s ;;\n", strstr(command->arguments, "SERVER") != NULL ? " servers=1" : "");
}

void completion_zsh(FILE *out)
{
	struct writer commands = {.out = out}, groups = {.out = out};
	(void)fprintf(out,
		"#compdef swimlanectl\n"
		"# zsh completion for swimlanectl: `swimlanectl completion zsh`\n"
		"_swimlanectl() {\n"
		"  local given= socket= servers= i\n"
		"  local -a options arguments\n"
		"  options=(%s)\n"
		"  case ${words[CURRENT-1]} in\n"
		"    (-s|--socket) _files; return ;;\n"
		"    (--timeout) _message time; return ;;\n"
		"  esac\n"
		"  for ((i = 2; i < CURRENT; i++)); do\n"
		"    case ${words[i]} in\n"
		"      (-s|--socket) socket=${words[i+1]}; ((i++)) ;;\n"
		"      (--timeout) ((i++)) ;;\n"
		"      (-*) ;;\n"
		"      (*) given+=\"${words[i]} \" ;;\n"
		"    esac\n"
		"  done\n"
		"  case $given in\n"
		"    (\"\") options+=(--version) arguments=(\n",
		global_options);
	help_each(zsh_describe, &commands);
	(void)fputs("    ) ;;\n", out);
	help_each(zsh_group, &groups);
	help_each(zsh_case, out);
	(void)fputs("    (*) return ;;\n"
		    "  esac\n"
		    "  if [[ -n $servers ]]; then\n"
		    "    arguments=(${(f)\"$(swimlanectl ${socket:+--socket} ${socket:+$socket} "
		    "--timeout 1 members 2>/dev/null |\n"
		    "      awk 'NR > 1 { print $1 }')\"})\n"
		    "  fi\n"
		    "  if [[ ${words[CURRENT]} == -* ]]; then\n"
		    "    _describe option options\n"
		    "  else\n"
		    "    _describe argument arguments\n"
		    "  fi\n"
		    "}\n"
		    "if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then\n"
		    "  _swimlanectl \"$@\"\n"
		    "else\n"
		    "  compdef _swimlanectl swimlanectl\n"
		    "fi\n",
		out);
}
