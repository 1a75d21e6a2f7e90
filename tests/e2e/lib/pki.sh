# SPDX-License-Identifier: Apache-2.0
# pki.sh - certificates for end-to-end tests, made by openssl in the current directory.
make_ca() { # make_ca NAME: NAME.pem, NAME.key
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$1.key" -out "$1.pem" 2>>openssl.log
  : >"$1.db"
  echo 01 >"$1.number"
  cat >"$1.cnf" <<C
[ca]
default_ca = it
[it]
database = $1.db
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
crlnumber = $1.number
[any]
commonName = optional
C
}
issue() { # issue NAME CA SAN|'' [OPENSSL CA ARGUMENTS…]: NAME.pem, NAME.key; ALG=rsa:2048 for another kind of key
  local name=$1 ca=$2 san=$3
  shift 3
  if [ -n "${ALG:-}" ]; then
    openssl req -newkey "$ALG" -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>>openssl.log
  else
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$name.key" \
      -out "$name.csr" 2>>openssl.log
  fi
  [ $# -gt 0 ] || set -- -days 60
  { echo "basicConstraints=${CONSTRAINTS:-CA:FALSE}"; [ -z "$san" ] || echo "subjectAltName=$san"; } >"$name.ext"
  openssl ca -batch -notext -config "$ca.cnf" -cert "$ca.pem" -keyfile "$ca.key" -in "$name.csr" -out "$name.pem" \
    -extfile "$name.ext" "$@" 2>>openssl.log || { echo "openssl ca: $(tail -3 openssl.log)"; return 1; }
  chmod 600 "$name.key"
}
make_intermediate() { # make_intermediate NAME CA: an authority below CA
  CONSTRAINTS=critical,CA:TRUE issue "$1" "$2" '' -days 20
  : >"$1.db"
  echo 01 >"$1.number"
  sed "s/$2/$1/g" "$2.cnf" >"$1.cnf"
}
make_crl() { # make_crl FILE CA [OPENSSL CA ARGUMENTS…]
  local file=$1 ca=$2
  shift 2
  [ $# -gt 0 ] || set -- -crldays 2
  openssl ca -gencrl -config "$ca.cnf" -cert "$ca.pem" -keyfile "$ca.key" -out "$file" "$@" 2>>openssl.log
}
revoke() { # revoke NAME CA
  openssl ca -config "$2.cnf" -cert "$2.pem" -keyfile "$2.key" -revoke "$1.pem" 2>>openssl.log
}
