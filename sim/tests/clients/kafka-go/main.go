// segmentio's kafka-go, case by case: kafka-go BROKER PROXY CUTS RUN CASE…
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

var cases = map[string]func(*suite){
	"produce":          produce,
	"codecs":           codecs,
	"acks":             acks,
	"too-large":        tooLarge,
	"unknown-topic":    unknownTopic,
	"positions":        positions,
	"times-compressed": timesCompressed,
	"retention":        retention,
	"many-partitions":  manyPartitions,
	"resume":           resume,
	"rebalance":        rebalance,
	"restart-before":   restartBefore,
	"restart-after":    restartAfter,
	"topics":           topics,
	"partitions":       partitions,
	"configs":          configs,
	"groups":           groups,
	"group-offsets":    groupOffsets,
	"cluster":          cluster,
}

func main() {
	for _, name := range os.Args[5:] {
		started := time.Now()
		if failure := try(name); failure != nil {
			fmt.Fprintln(os.Stderr, name, failure)
			fmt.Println("fail", name, strings.Join(strings.Fields(fmt.Sprint(failure)), " "))
		} else {
			fmt.Printf("ok %s %.1f s\n", name, time.Since(started).Seconds())
		}
	}
}

func try(name string) (failure any) {
	defer func() { failure = recover() }()
	s := newSuite(name)
	defer s.close() // before the recovery: a failure of its own would hide the first one, so it has none
	cases[name](s)
	return nil
}
