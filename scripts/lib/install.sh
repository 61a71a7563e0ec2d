# Sourced by scripts/demo, scripts/test and .ci/run: installs what scripts/packages lists and is missing.

install_missing() { # section...
	local root=${BASH_SOURCE[0]%/*}/.. wanted missing=()
	wanted=$(awk -v sections=" $* " '!/^#/ && NF == 2 && index(sections, " " $1 " ") { print $2 }' \
		"$root/packages" | sort -u)
	for package in $wanted; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return 0

	if ! command -v apt-get >/dev/null; then
		echo "missing packages (names of Debian 12): ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${#missing[@]} packages: ${missing[*]}" >&2
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "these packages are missing and there is no sudo; as root:" >&2
			echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	# Root's part is a script of its own, so that one sudo covers it.
	"${as_root[@]}" bash -s -- "${missing[@]}" >&2 <<'ROOT'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
# Our own nginx serves the origins, and of prometheus only promtool is used: services must not come up
# because of us.
refuser=/usr/sbin/policy-rc.d made=
status() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true; }
nginx_was_here=$(status nginx) prometheus_was_here=$(status prometheus)
if [ ! -e "$refuser" ]; then
	made=1
	trap 'rm -f "$refuser"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$refuser"
	chmod 755 "$refuser"
fi
apt-get -q update </dev/null
apt-get -q -y install --no-install-recommends "$@" </dev/null
for service in nginx prometheus; do
	was_here=${service}_was_here
	[ "${!was_here}" != installed ] && [ "$(status $service)" = installed ] || continue
	{ deb-systemd-helper disable $service.service; update-rc.d $service disable; } >/dev/null 2>&1 || true
	# Somebody's own policy-rc.d may have let it start.
	[ -n "$made" ] || [ ! -d /run/systemd/system ] || systemctl stop $service.service || true
done
ROOT
}
