# What a benchmark ran on. To be sourced.

# print_environment PROGRAM BUILD_FOLDER COMMAND...
print_environment() {
	local program=$1 folder=$2 compiler cpu
	shift 2
	compiler=$(strings -a "$program" 2>/dev/null | grep -m1 -E '^(GCC|clang version|Debian clang|.* clang version)' || true)
	cpu=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
	cat <<-ENVIRONMENT
		cpu        $cpu, $(nproc) of them
		kernel     $(uname -sr)
		compiler   ${compiler:-unknown}, $(meson introspect "$folder" --buildoptions |
			python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "buildtype"))')
		load       $(cut -d' ' -f1-3 /proc/loadavg)
		command    $*

	ENVIRONMENT
}
