package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

type plant struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"`
	Grams float64  `json:"grams"`
	Tags  []string `json:"tags"`
	Note  *string  `json:"note,omitempty"`
}

type byKindThenWeight []plant

func (p byKindThenWeight) Len() int      { return len(p) }
func (p byKindThenWeight) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p byKindThenWeight) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(p[i].Kind, p[j].Kind), cmp.Compare(p[j].Grams, p[i].Grams)) < 0
}

func sumBy[K comparable, T any](items []T, key func(T) K, value func(T) float64) map[K]float64 {
	sums := map[K]float64{}
	for _, item := range items {
		sums[key(item)] += value(item)
	}
	return sums
}

func collections([]string) error {
	// A map that grows through several sizes, loses half its keys, and is printed in sorted order.
	squares := map[int]string{}
	for n := range 5000 {
		squares[n] = strconv.Itoa(n * n)
	}
	for n := range 5000 {
		if n%2 == 1 {
			delete(squares, n)
		}
	}
	_, odd := squares[71]
	fmt.Printf("map: %d keys, squares[70] is %s, 71 is there: %t\n", len(squares), squares[70], odd)
	fmt.Println("fmt sorts keys:", map[string]int{"plum": 4, "apple": 5, "pear": 2})
	type point struct{ x, y int }
	visits := map[point][]string{{1, 2}: {"a"}, {0, 0}: nil}
	visits[point{1, 2}] = append(visits[point{1, 2}], "b")
	fmt.Printf("%v %+v %#v\n", visits[point{1, 2}], point{3, 4}, point{5, 6})

	// Sorting: an interface, a stable sort by function, and floats with their odd members.
	plants := []plant{{"tomato", "fruit", 420, nil, nil}, {"thyme", "herb", 12.5, nil, nil}, {"quince", "fruit", 1800, nil, nil}}
	sort.Sort(byKindThenWeight(plants))
	for _, p := range plants {
		fmt.Printf("%-8s|%8s|%9.2f\n", p.Name, p.Kind, p.Grams)
	}
	sums := sumBy(plants, func(p plant) string { return p.Kind }, func(p plant) float64 { return p.Grams })
	fmt.Println("sums:", sums, "kinds:", slices.Sorted(maps.Keys(sums)))
	numbers := make([]int, 20_000)
	for i := range numbers {
		numbers[i] = (i * 7919) % 20_011
	}
	slices.Sort(numbers)
	at, found := slices.BinarySearch(numbers, 12_345)
	fmt.Println("sorted:", slices.IsSorted(numbers), "found:", found, "at:", at)
	floats := []float64{math.Inf(1), 2.5, math.Copysign(0, -1), math.NaN(), -1e-300, math.Pi}
	slices.Sort(floats)
	fmt.Println("floats:", floats)

	var text strings.Builder
	for i, word := range strings.Fields("  the quick  brown fox ") {
		fmt.Fprintf(&text, "%d%q ", i, word)
	}
	fmt.Println(text.String(), strings.Repeat("=", 10), strings.EqualFold("KÄSE", "käse"))
	fmt.Printf("%x %X %o %b %e %g %08.3f %+d %t %c %U\n", "teff", 48879, 8, 5, 123456.789, 1e21, math.E, 7, true, '語', '語')
	product := uint64(1)
	for n := uint64(2); n <= 20; n++ {
		product *= n
	}
	fmt.Println("20! =", product, "bits:", bits.Len64(product), "25! mod 2^64 =", product*21*22*23*24*25)

	// Times that are given, not read from the clock.
	day, err := time.Parse(time.RFC3339, "2024-02-28T23:30:00+01:00")
	if err != nil {
		return err
	}
	later := day.Add(36*time.Hour + 45*time.Minute).UTC()
	fmt.Println(later.Format(time.RFC1123), later.YearDay(), later.Sub(day), later.Weekday())
	return nil
}

func jsonTour(args []string) error {
	source := []byte(`[{"name":"sage","kind":"herb","grams":3e1,"tags":["\u00fcber"]}]`)
	if len(args) > 0 && args[0] == "-" {
		var err error
		if source, err = io.ReadAll(os.Stdin); err != nil {
			return err
		}
	}
	var plants []plant
	if err := json.Unmarshal(source, &plants); err != nil {
		return err
	}
	sort.Stable(byKindThenWeight(plants))
	for i := range plants {
		plants[i].Tags = append(plants[i].Tags, "seen")
	}
	pretty, err := json.MarshalIndent(map[string]any{
		"count":  len(plants),
		"plants": plants,
		"nested": map[string]any{"null": nil, "html": "<&>", "large": uint64(math.MaxUint64), "bytes": []byte("teff")},
	}, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(pretty))

	var loose any
	if err := json.Unmarshal([]byte(`{"a":[1,2.5,{"b":null}],"c":"\ud83c\udf3e"}`), &loose); err != nil {
		return err
	}
	fmt.Printf("%v\n", loose)
	var mistyped *json.UnmarshalTypeError
	err = json.Unmarshal([]byte(`[{"grams":"heavy"}]`), &plants)
	fmt.Println("mistyped:", errors.As(err, &mistyped), err)
	var broken *json.SyntaxError
	err = json.Unmarshal([]byte(`[{"grams":1,}]`), &plants)
	fmt.Println("broken:", errors.As(err, &broken), err)
	return nil
}
