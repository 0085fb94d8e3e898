COPY reckoner_bench.events FROM STDIN
