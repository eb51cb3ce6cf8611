package peers

// words are the words of phrases, 1024 of them: short, plain, and easily told
// apart when they are read out on the telephone. Their order is part of what a
// phrase means, so that it never changes.
const words = `
acorn acre actor adapt adult agent agree alarm album alert alley almond alone alpha amber ample anchor angle animal ankle answer antler
apple apron arch arena argue arm army arrow artist ash aspen atlas attic audio aunt author autumn awake award axle baby bacon badge badger
bag bagel baker ballet bamboo banana band banjo bank banner barge bark barley barn barrel basil basin basket bat bath beach beacon bead
beagle beak beam bear beard beat beaver bed beech beef beetle begin bell belt bench berry bike bin birch bird bishop bison blade blend block
bloom board boat body boil bolt bone bonnet book boot border borrow bottle bottom bounce bowl box brain branch brass brave breeze brick
bridge bright broom brown brush bubble bucket buckle bud build bulb bull bundle burrow bus bush butter button buzz cabin cable cactus cake
calf calm camel camera camp canal candle canoe canvas canyon cap cape car card cargo carpet carrot cart carve castle cat catch cattle cave
cedar cello centre chain chair chalk chapel chart chase cheek cheer cheese cherry chess chest chick chief child chime chin chip choir choose
cinema circle circus city clam clap class clay clean clever cliff climb clock cloth cloud clover clown club coach coal coast coat cobweb
cocoa coffee coin collar colour comb comet comic cone cook cookie copper coral cord cork corn corner cotton couch count court cousin cover
cow coyote crab cradle craft crane crater crayon cream creek crew crocus crop cross crow crowd crown cruise crumb crust cub cube cup curl
curve cycle dad dairy daisy dance dancer dark dart dash date dawn day deck delta denim depot desert desk diary dice diet dig dinner dip dish
disk dive doctor dog doll dome donkey door dot double dough dove dozen dragon drain draw drawer dream dress drift drill drink drive drop
drum dry duck dune dusk dust eager eagle ear earth echo edge egg elbow elder elk elm ember engine enjoy estate event eye fabric face fair
fairy falcon family fan farm farmer father feast fence fern ferry field fig film filter finch finger fir fire fish five flag flame flask
flat fleece flight flint float flock flood floor flour flower flute fly foal foam fog fold folder food foot forest fork fort fossil fox
frame fresh fridge friend frog frost fruit fudge funnel furrow fuzzy gadget galaxy game garage garden garlic gate gather gentle giant gift
ginger glad glass glide globe glove glow glue goal goat gold golf goose gorge grain grand grape grass gravel gravy green grid grill grin
grip ground group grove grow guard guess guest guide guitar gull habit hail hall hammer hand handle happy harp hat hatch hawk hay hazel head
heap heart heater heavy hedge heel heron hill hinge hippo hive hobby hockey hollow holly home honey hood hoop hope horn horse hose hotel
house hover hub human hut icing icon idea igloo inch index ink insect inside invite iris iron island ivory ivy jacket jaguar jam jar jaw
jeans jelly jet jewel jigsaw job join joke joy judge jug juggle juice jump jungle junior jury kayak keen kennel kernel kettle key kick kid
kind king kiosk kite kitten kiwi knee knife knob koala label lace ladder lagoon lake lamb lamp land lane lap lark laser laugh launch lava
lawn layer leaf league learn leek leg lemon lend lens lesson letter level lever lift light lily lime linen lion lip listen lizard llama load
loaf lock lodge log lorry loud lounge lucky lunch lung lynx magic magnet magpie major mallet mammal mango manor map maple marble march
market marsh mask mast match meadow meal medal melon melt memory mend menu merry metal meteor method midday middle mild mile milk mill mind
mint minute mirror mist mitten moat model mole moment monday monkey month moon moose mop mosaic moss moth mother motor mouse mouth move
muffin mug mule museum music nail name napkin narrow neck nest net never newt nine noble noon north novel nurse nut oasis oat oboe ocean
offer oil olive onion opera orbit organ otter oval oven owl owner pack page paint palm pan panda panel pansy paper park party pasta paste
patch path patio pause paw pea peach peak pearl pedal pen petal phone photo piano pie pier pig pilot pine pink pipe pitch pizza place plan
plank plant plate play plaza plot plum plus poem poet point polar pole pond pony pool poppy porch port post pot pouch pound power press
price pride print prism prize proud pull pulse pump pupil puppy purse push quail queen quest quick quiet quill quilt quiz race rack radar
radio raft rail rain rake ranch rapid raven reach ready reed reef relax rest rhino rhyme rice ride ridge ring rise river roast robin robot
rock roll roof room rope round royal ruby rug run safe saga salad salt sand satin sauce scale scarf scoop score scout screw seal seat seed
seek shade shape share shark sharp shed sheep sheet shelf shell shift shine ship shirt shoe shop shore shrub silk sing sink skate ski skill
skin skirt sky slate sleep slice slide smart smile smoke snack snail snow soap sock sofa soft soil solar solid solo song sound soup south
space spade spark speak spell spice spin spoon sport spot spray squid stage stamp stand star steam stem stew stick stir stone stool store
stork storm story stove straw study sugar suit sunny surf swan sweet swift swim swing syrup table tango tank tart taste taxi tea teach team
teddy ten tent theme thorn three thumb tide tidy tiger tile time toast toe tonic tooth topic torch touch towel tower town toy track trade
trail train tram tray treat tree trek tribe trick trip trout truck trunk trust truth tuba tulip tuna twig twin uncle upper urban van vase
vault verse vest view villa vine visit voice vote wagon waist walk wall warm watch water wave wax web whale wheat wheel whisk white wild
wind wing wire wise wish wolf wool word work world worm wrap wren wrist yacht yard yarn yawn year yoga young zebra zero zinc zip zone zoo
zoom
`
