package retrofit
import ("testing";"context";"time";"os";"strconv";"fmt";"encoding/json"
"github.com/pecvt/pecvt/convert/safetensors";"github.com/pecvt/pecvt/convert/family";"github.com/pecvt/pecvt/convert/tensor";"github.com/pecvt/pecvt/posenc")
func env(n string, d int) int { if v:=os.Getenv(n); v!="" { x,_:=strconv.Atoi(v); return x }; return d }
func envf(n string, d float64) float64 { if v:=os.Getenv(n); v!="" { x,_:=strconv.ParseFloat(v,64); return x }; return d }
func ids(name string) []int64 { f,err:=safetensors.Open("/tmp/w/i6m/ids.safetensors"); if err!=nil{panic(err)}; defer f.Close(); r,_:=f.Bytes(name); x:=make([]int64,len(r)/8); tensor.DecodeInt64(x,r,tensor.I64); return x }
type over struct{ family.Source; files []*safetensors.File }
func (o over) Bytes(n string) ([]byte, error) { for _,f:=range o.files { if _,ok:=f.Lookup(n); ok { return f.Bytes(n) } }; return o.Source.Bytes(n) }
func TestLocal(t *testing.T){
 ck,err:=safetensors.OpenCheckpoint("/tmp/w/smollm2"); if err!=nil{t.Fatal(err)}
 m,err:=family.Load(ck); if err!=nil{t.Fatal(err)}
 w,_:=newTestWalk(m,ck)
 turns,_:=Turns(m)
 L:=env("L",2048)
 drop,_:=posenc.HoPE{TrainedLength:8192}.Dropped(m.Rope.Base())
 s:=m.Blocks[0].Attn.Rotary.Spectrum.Clone()
 for p,d:=range drop { if d { s.InvFreq[p]=0 } }
 student,_:=With(turns,s,nil)
 if f:=os.Getenv("SEL"); f!="" { var c Costs; b,_:=os.ReadFile("/tmp/w/i6m/costs.json"); if err:=json.Unmarshal(b,&c); err!=nil {t.Fatal(err)}
  x,_:=strconv.ParseFloat(f,64); se,err:=Select(context.Background(),&c,turns,nil,SelectOptions{Budget:Budget{BudgetPlanes,x}}); if err!=nil {t.Fatal(err)}; student=se.Turns() }
 src:=family.Source(ck)
 if env("CAL",1)==1 {
 folder:=os.Getenv("FOLDER"); if folder=="" { folder=t.TempDir() }
 o:=CalibrateOptions{Steps:env("STEPS",48),Rate:envf("RATE",.02),Seed:1,Folder:folder}
 seqs:=Sequences(ids("sawyer"),L,env("TOKENS",12000))
 if os.Getenv("MIX")=="0" { seqs=nil; a:=ids("sawyer"); for i:=0;i<env("TOKENS",12000)/L;i++ { seqs=append(seqs,a[i*L:(i+1)*L]) } }
 rate:=Rate(); fl:=Flops(m,turns,student,seqs,o); fmt.Printf("rate %.1f GF/s, %.0f GF, %.1f minutes; %d sequences\n",rate/1e9,fl/1e9,fl/rate/60,len(seqs))
 b:=time.Now()
 c,err:=Calibrate(context.Background(),m,ck,w,student,seqs,o); if err!=nil{t.Fatal(err)}
 fmt.Printf("%.1f s\n",time.Since(b).Seconds())
 for _,l:=range c.Layers { fmt.Printf("%d:%.4f→%.4f ",l.Layer,l.Before,l.After) }; fmt.Println()
 ov:=over{Source:ck}; for _,f:=range c.Files { x,err:=safetensors.Open(f); if err!=nil{t.Fatal(err)}; ov.files=append(ov.files,x) }
 src=ov
 }
 for _, part := range []struct{name string; m *family.Model; src family.Source}{{"source",m,ck},{"result",withTurns(m,student),src}} {
  if part.name=="source" && env("SRC",0)==0 { continue }
  for _,n:=range []int{512,2048,8192} { if n>env("EVAL",2048) {break}
   ww,_:=newTestWalk(part.m,part.src); a:=ids("opticks"); p,err:=perplexity(ww,a[3000:3000+n],0); if err!=nil{t.Fatal(err)}; fmt.Printf("%s %d: %.3f\n",part.name,n,p) } }
}
