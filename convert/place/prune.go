package place

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pecvt/pecvt/convert/fsio"
)

// The variables that bound what is kept of buckets in the cache: days that a model lies
// there without being used (0: for good), and gigabytes (10^9 bytes) of all of them.
const (
	EnvKeepDays = "PECVT_PLACES_DAYS"
	EnvKeepSize = "PECVT_PLACES_GB"

	defaultKeepDays = 30
)

// kept is what stays in the cache.
type kept struct {
	age   time.Duration // 0: whatever its age
	bytes int64         // 0: however many
}

func keeping() (kept, error) {
	k := kept{age: defaultKeepDays * 24 * time.Hour}
	for name, set := range map[string]func(x float64){
		EnvKeepDays: func(x float64) { k.age = time.Duration(x * float64(24*time.Hour)) },
		EnvKeepSize: func(x float64) { k.bytes = int64(x * 1e9) },
	} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || !(x >= 0 && x <= 36500) {
			return k, fmt.Errorf("%s=%s: expected a number from 0 to 36500", name, text)
		}
		set(x)
	}
	return k, nil
}

// inUse holds a claim on each folder of the cache that this process was given, until it
// ends: whoever prunes leaves them alone.
var inUse struct {
	sync.Mutex
	of map[string]*fsio.Claim
}

const (
	lockSuffix  = ".lock"
	usersSuffix = ".users"
)

// use takes note that this process uses a folder of the cache, whose lock it has.
func use(work string) error {
	now := time.Now()
	os.Chtimes(work+lockSuffix, now, now)
	inUse.Lock()
	defer inUse.Unlock()
	if inUse.of[work] != nil {
		return nil
	}
	if err := os.MkdirAll(work+usersSuffix, 0o777); err != nil {
		return err
	}
	used(work) // else each process leaves a file
	c, err := fsio.Take(filepath.Join(work+usersSuffix, strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	if inUse.of == nil {
		inUse.of = map[string]*fsio.Claim{}
	}
	inUse.of[work] = c
	return nil
}

// used tells whether a living process uses a folder, whose lock is held, and removes what
// others noted that have ended.
func used(work string) (yes bool) {
	users, err := os.ReadDir(work + usersSuffix)
	if err != nil {
		return !os.IsNotExist(err)
	}
	for _, u := range users {
		c, err := fsio.Take(filepath.Join(work+usersSuffix, u.Name()))
		if err != nil {
			yes = true
			continue
		}
		c.Release()
	}
	return yes
}

// prune removes folders of places/ in the cache that were not used for long, and of the
// others those that were not for longest while all are over a size. One that a process
// uses or fetches stays. What cannot be removed harms nothing but the space that it takes.
func prune(places string, k kept) {
	type folder struct {
		work  string
		last  time.Time
		bytes int64
	}
	var list []folder
	locks, _ := filepath.Glob(filepath.Join(places, "*", "*"+lockSuffix))
	total := int64(0)
	for _, lock := range locks {
		f := folder{work: strings.TrimSuffix(lock, lockSuffix)}
		st, err := os.Stat(lock)
		if err != nil {
			continue
		}
		if _, err := os.Stat(f.work); err != nil {
			continue // it was removed before
		}
		f.last = st.ModTime()
		filepath.WalkDir(f.work, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if st, err := d.Info(); err == nil {
					f.bytes += onDisk(path, st.Size())
				}
			}
			return nil
		})
		total += f.bytes
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b folder) int { return a.last.Compare(b.last) })
	once, cancel := context.WithCancel(context.Background())
	cancel() // a lock that another has is not waited for
	for _, f := range list {
		old := k.age > 0 && time.Since(f.last) > k.age
		if !old && (k.bytes == 0 || total <= k.bytes) {
			continue
		}
		release, err := fsio.Hold(once, f.work+lockSuffix, nil)
		if err != nil {
			continue
		}
		if !used(f.work) && os.RemoveAll(f.work) == nil {
			os.RemoveAll(f.work + usersSuffix)
			total -= f.bytes
			if say := said.Load(); say != nil {
				(*say)(fmt.Sprintf("%s was removed from the cache: last used %s", f.work, f.last.Format(time.DateOnly)))
			}
		}
		release() // the file stays: another may wait for it
	}
}
