#!/bin/sh
# Follow a generation bar by bar. Usage: stream.sh request.json [server]; request.json holds {"score", "request"}.
sed 's/^{/{"stream": true, /' "$1" |
  curl -sN -X POST "${2:-http://localhost:8000}/generate" -H "Content-Type: application/json" -d @- |
  sed -n 's/^data: //p'
