#!/bin/sh
# Bars 5 to 8 of the bass, anew; bars and tracks count from 1. Usage: infill.sh song.mid out.mid [server]
curl -s --fail-with-body "${3:-http://localhost:8000}/infill" \
  -F "file=@$1" -F bars=5-8 -F track=bass -F seed=7 -o "$2"
