#!/usr/bin/env bash
# A small client of Cachito's API: makes a tree in which a finished request can be built.
#
#   cachito-download.sh URL DIR [registry|offline]
#
# URL is that of the request, https://HOST/api/v1/requests/NUMBER. Below DIR there is then
#   remote-source/app, remote-source/deps   the archive, configuration files over it
#   remote-source/cachito.env               environment of the build, to be sourced
# The third argument asks Stowage for one form of configuration and environment; other servers have one form only.
set -euo pipefail

fail() {
  echo "cachito-download: $*" >&2
  exit 1
}

if [ $# -lt 2 ] || [ $# -gt 3 ]; then fail "usage: cachito-download.sh URL DIR [registry|offline]"; fi
for tool in curl jq tar gzip base64 sha256sum; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done

url=${1%/}
query=${3:+?format=$3}
mkdir -p "$2/remote-source"
root=$(cd "$2/remote-source" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

get() { curl --silent --show-error --fail-with-body --location --retry 5 --retry-max-time 60 "$@"; }

get_json() {
  get "$1" >"$scratch/answer" || fail "$1: $(jq -r '.error? // empty' "$scratch/answer" 2>/dev/null || true)"
  cat "$scratch/answer"
}

# What the archive's digest header must be, computed from the file.
digest_of() {
  local hex
  hex=$(sha256sum "$1" | cut -c 1-64)
  # shellcheck disable=SC2059 # the hexadecimal digits are the format
  printf "sha-256=%s" "$(printf "$(sed 's/../\\x&/g' <<<"$hex")" | base64 | tr -d '\n')"
}

request=$(get_json "$url")
state=$(jq -r .state <<<"$request")
[ "$state" = complete ] || fail "the request is $state: $(jq -r .state_reason <<<"$request")"

archive=$scratch/archive.tar.gz
get --dump-header "$scratch/headers" --output "$archive" "$url/download" || fail "the download failed"
promised=$(tr -d '\r' <"$scratch/headers" | sed -n 's/^[Dd]igest: *//p' | tail -n 1)
if [ -n "$promised" ] && [ "$promised" != "$(digest_of "$archive")" ]; then
  fail "the archive is not what the server says: $promised"
fi
tar --extract --gzip --no-same-owner --file "$archive" --directory "$root"

# Over the source, and read-only, as the build systems have them.
files=$(get_json "$url/configuration-files$query")
count=$(jq length <<<"$files")
for ((index = 0; index < count; index++)); do
  file=$(jq ".[$index]" <<<"$files")
  path=$(jq -r .path <<<"$file")
  [ "$(jq -r .type <<<"$file")" = base64 ] || fail "the configuration file $path has an unknown type"
  case "/$path/" in
    //* | */../*) fail "the configuration file $path is not below the root" ;;
  esac
  mkdir -p "$root/$(dirname "$path")"
  rm -f "$root/$path"
  jq -r .content <<<"$file" | base64 --decode >"$root/$path"
  chmod 0444 "$root/$path"
done

variables=$(get_json "$url/environment-variables$query")
unknown=$(jq -r '[.[] | .kind | select(. != "path" and . != "literal")] | first // empty' <<<"$variables")
[ -z "$unknown" ] || fail "the environment variable kind $unknown is not known"
jq -r --arg root "$root" \
  'to_entries[] | "export \(.key)=\(if .value.kind == "path" then "\($root)/\(.value.value)" else .value.value end | @sh)"' \
  <<<"$variables" >"$root/cachito.env"

echo "$root: $(jq -r '"\(.packages | length) packages, \(.dependencies | length) dependencies"' <<<"$request")"
