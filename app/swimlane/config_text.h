/* What single values of the configuration must look like. Pure.
 *
 * The checks return NULL, or what is wrong and how to mend it, to follow the quoted value.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

const char *config_check_name(const char *text);
const char *config_check_seed(const char *text);
const char *config_check_address(const char *text);
const char *config_check_mac(const char *text);
const char *config_check_path(const char *text);
const char *config_check_memif_socket(const char *text);
const char *config_check_mode(const char *text);

/* Of kernel interfaces and PCI devices; which one applies depends on port.kind. */
const char *config_check_interface(const char *text);
const char *config_check_pci(const char *text);

/* Plain decimal digits, no sign, no leading zero. */
bool config_parse_number(const char *text, uint64_t *value);
/* The same, or 0x and 1 to 16 hexadecimal digits. */
bool config_parse_id(const char *text, uint64_t *value);
/* Milliseconds with up to three decimals, to microseconds. */
bool config_parse_ms(const char *text, uint64_t *us);
bool config_parse_switch(const char *text, bool *value);
bool config_parse_mac(const char *text, uint8_t mac[6]);
bool config_parse_mode(const char *text, uint32_t *mode);
